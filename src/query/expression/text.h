#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::query {

inline bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Bytes of the code point that starts with `lead`.
inline std::size_t code_point_size(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  if (byte < 0x80) return 1;
  if (byte < 0xE0) return 2;
  return byte < 0xF0 ? 3 : 4;
}

inline std::size_t code_point_count(std::string_view text) {
  std::size_t count = 0;
  for (const char c : text) count += is_continuation(c) ? 0 : 1;
  return count;
}

// Byte offset of a code point; the size behind the end.
inline std::size_t byte_offset(std::string_view text, std::size_t code_points) {
  std::size_t at = 0;
  for (; code_points > 0 && at < text.size(); --code_points) at += code_point_size(text[at]);
  return at < text.size() ? at : text.size();
}

// Position of `token` in `text` at or behind `from`, or npos; in linear time, unlike string_view's.
inline std::size_t find_text(std::string_view text, std::string_view token, std::size_t from = 0) {
  if (from > text.size()) return std::string_view::npos;
  const void* at = ::memmem(text.data() + from, text.size() - from, token.data(), token.size());
  if (at == nullptr) return std::string_view::npos;
  return static_cast<std::size_t>(static_cast<const char*>(at) - text.data());
}

// What the string operators accept in place of a string: numbers, dates, timestamps, code, symbols;
// null and missing give "". Error 16007 for the rest.
Result<std::string> coerce_to_string(bson::ValueView value);

// ISO text with milliseconds and Z, for years 0 to 9999 and beyond.
std::string date_text(bson::Date date);

}  // namespace restitch::query
