#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace restitch::bson {

// Where the run of bytes that stand for themselves in a JSON string ends: at a quote, a backslash,
// a control character, or `end`. Looks at eight bytes at a time.
inline const char* end_of_plain_run(const char* at, const char* end) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kTops = 0x8080808080808080ULL;
  static_assert(std::endian::native == std::endian::little);
  while (end - at >= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    const std::uint64_t quote = word ^ kOnes * '"';
    const std::uint64_t backslash = word ^ kOnes * '\\';
    const std::uint64_t hits = ((word - kOnes * 0x20) & ~word) | ((quote - kOnes) & ~quote) |
                               ((backslash - kOnes) & ~backslash);
    if ((hits & kTops) != 0) return at + std::countr_zero(hits & kTops) / 8;
    at += 8;
  }
  for (; at != end; ++at) {
    const auto byte = static_cast<unsigned char>(*at);
    if (byte < 0x20 || byte == '"' || byte == '\\') return at;
  }
  return end;
}

// Index of the first byte above 0x7F, or the size.
inline std::size_t ascii_prefix(std::string_view text) {
  std::size_t at = 0;
  for (; text.size() - at >= 8; at += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 0x8080808080808080ULL) != 0) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

// Shortest text that reads back as the same double, always with a point or an exponent: "1.0",
// "0.1", "1.2345678921232E+18"; "NaN", "Infinity", "-Infinity" for the values that are no numbers.
void append_double(std::string& out, double value);

}  // namespace restitch::bson
