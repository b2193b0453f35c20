#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace restitch::api::wire {

static_assert(std::endian::native == std::endian::little, "messages are read as they lie");

// Takes little-endian values off the front of untrusted bytes; nothing is taken when too few are
// left.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}

  bool is_empty() const { return left_.empty(); }
  std::string_view rest() const { return left_; }

  std::optional<std::uint8_t> u8() { return number<std::uint8_t>(); }
  std::optional<std::int32_t> i32() { return number<std::int32_t>(); }
  std::optional<std::uint32_t> u32() { return number<std::uint32_t>(); }

  std::optional<std::string_view> take(std::size_t size) {
    if (size > left_.size()) return std::nullopt;
    const std::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }

  // Up to the NUL, which is taken too.
  std::optional<std::string_view> text_to_nul() {
    const std::size_t end = left_.find('\0');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view text = left_.substr(0, end);
    left_.remove_prefix(end + 1);
    return text;
  }

  // As many bytes as the int32 at the front says, itself included.
  std::optional<std::string_view> take_sized() {
    std::int32_t size = 0;
    if (left_.size() < sizeof size) return std::nullopt;
    std::memcpy(&size, left_.data(), sizeof size);
    if (size < static_cast<std::int32_t>(sizeof size)) return std::nullopt;
    return take(static_cast<std::size_t>(size));
  }

 private:
  template <typename T>
  std::optional<T> number() {
    const auto taken = take(sizeof(T));
    if (!taken) return std::nullopt;
    T value;
    std::memcpy(&value, taken->data(), sizeof value);
    return value;
  }

  std::string_view left_;
};

}  // namespace restitch::api::wire
