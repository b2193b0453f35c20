#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/key_format.h"

namespace restitch::bson {

inline Error corrupt_key(std::string_view problem) {
  return Error(ErrorCode::kCorrupt, "malformed index key: " + std::string(problem));
}

// A bounds-checked cursor over encoded bytes that undoes the inversion of descending fields and
// negative numbers.
class KeyReader {
 public:
  KeyReader(std::string_view bytes, bool inverted) : bytes_(bytes), mask_(inverted ? 0xFF : 0x00) {}

  std::size_t position() const { return at_; }
  std::string_view rest() const { return bytes_.substr(at_); }
  bool done() const { return at_ == bytes_.size(); }
  void invert() { mask_ ^= 0xFF; }

  Result<std::uint8_t> byte() {
    if (done()) return corrupt_key("it ends too early");
    return static_cast<std::uint8_t>(static_cast<std::uint8_t>(bytes_[at_++]) ^ mask_);
  }

  // The next byte, or zero behind the end.
  std::uint8_t byte_or_zero() {
    return done() ? 0 : static_cast<std::uint8_t>(static_cast<std::uint8_t>(bytes_[at_++]) ^ mask_);
  }

  // Whether the end byte of an object or array comes next. False behind the end.
  bool at_end_byte() const {
    return !done() && (static_cast<std::uint8_t>(bytes_[at_]) ^ mask_) == kKeyEnd;
  }

  // `count` bytes (at most 8), most significant first.
  Result<std::uint64_t> big_endian(unsigned count) {
    if (bytes_.size() - at_ < count) return corrupt_key("it ends too early");
    std::uint64_t value = 0;
    for (unsigned i = 0; i < count; ++i) {
      value = value << 8U | (static_cast<std::uint8_t>(bytes_[at_++]) ^ mask_);
    }
    return value;
  }

  Status skip(std::size_t count) {
    if (bytes_.size() - at_ < count) return corrupt_key("it ends too early");
    at_ += count;
    return {};
  }

  // Appends the next `count` bytes to `out`.
  Status copy(std::size_t count, std::string& out) {
    const std::size_t start = at_;
    RESTITCH_CHECK(skip(count));
    const std::size_t size = out.size();
    out.append(bytes_.substr(start, count));
    if (mask_ != 0) {
      for (std::size_t i = size; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
    }
    return {};
  }

  // Skips to behind the next end byte.
  Status skip_text() {
    const std::size_t end = bytes_.find(static_cast<char>(kKeyEnd ^ mask_), at_);
    if (end == std::string_view::npos) return corrupt_key("a text has no end");
    at_ = end + 1;
    return {};
  }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
  std::uint8_t mask_;
};

}  // namespace restitch::bson
