#include "bson/view.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "bson/decimal.h"

namespace restitch::bson {
namespace {

constexpr std::uint8_t kEmptyDocument[5] = {5, 0, 0, 0, 0};

std::uint32_t load_u32(const std::uint8_t* data) {
  std::uint32_t value;
  std::memcpy(&value, data, 4);
  return value;
}

std::uint32_t cstring_size(const std::uint8_t* data) {
  return static_cast<std::uint32_t>(std::strlen(reinterpret_cast<const char*>(data))) + 1;
}

// Length of the text that ends with a zero byte before `end`. Names are short: eight bytes at a
// time without a call beat strlen.
std::size_t name_size(const std::uint8_t* name, const std::uint8_t* end) {
  if constexpr (std::endian::native == std::endian::little) {
    constexpr std::uint64_t kOnes = 0x0101010101010101;
    const std::uint8_t* at = name;
    for (; end - at >= 8; at += 8) {
      std::uint64_t bytes;
      std::memcpy(&bytes, at, 8);
      const std::uint64_t zeros = (bytes - kOnes) & ~bytes & (kOnes << 7U);
      if (zeros != 0) {
        return static_cast<std::size_t>(at - name) +
               static_cast<unsigned>(std::countr_zero(zeros)) / 8;
      }
    }
    return static_cast<std::size_t>(at - name) + std::strlen(reinterpret_cast<const char*>(at));
  } else {
    return std::strlen(reinterpret_cast<const char*>(name));
  }
}

}  // namespace

std::uint32_t value_size(Type type, const std::uint8_t* data) {
  switch (type) {
    case Type::kDouble:
    case Type::kDate:
    case Type::kTimestamp:
    case Type::kInt64:
      return 8;
    case Type::kInt32:
      return 4;
    case Type::kBool:
      return 1;
    case Type::kObjectId:
      return 12;
    case Type::kDecimal128:
      return 16;
    case Type::kString:
    case Type::kCode:
    case Type::kSymbol:
      return 4 + load_u32(data);
    case Type::kObject:
    case Type::kArray:
    case Type::kCodeWithScope:
      return load_u32(data);
    case Type::kBinary:
      return 5 + load_u32(data);
    case Type::kRegex: {
      const std::uint32_t pattern = cstring_size(data);
      return pattern + cstring_size(data + pattern);
    }
    case Type::kDbPointer:
      return 4 + load_u32(data) + 12;
    case Type::kMissing:
    case Type::kUndefined:
    case Type::kNull:
    case Type::kMinKey:
    case Type::kMaxKey:
      return 0;
  }
  return 0;
}

View ValueView::get_document() const {
  RESTITCH_DASSERT(type_ == Type::kObject || type_ == Type::kArray);
  return View(data_);
}

BinaryView ValueView::get_binary() const {
  RESTITCH_DASSERT(type_ == Type::kBinary);
  const std::uint8_t subtype = data_[4];
  return {{reinterpret_cast<const char*>(data_) + 5, size_ - 5}, subtype};
}

RegexView ValueView::get_regex() const {
  RESTITCH_DASSERT(type_ == Type::kRegex);
  const std::string_view pattern(reinterpret_cast<const char*>(data_));
  return {pattern, std::string_view(reinterpret_cast<const char*>(data_) + pattern.size() + 1)};
}

std::optional<View> ValueView::as_object() const {
  return type_ == Type::kObject ? std::optional(View(data_)) : std::nullopt;
}

std::optional<View> ValueView::as_array() const {
  return type_ == Type::kArray ? std::optional(View(data_)) : std::nullopt;
}

std::optional<std::int64_t> ValueView::as_integer() const {
  switch (type_) {
    case Type::kInt32:
      return get_int32();
    case Type::kInt64:
      return get_int64();
    case Type::kDouble: {
      const double value = get_double();
      if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0)) return std::nullopt;
      const auto integer = static_cast<std::int64_t>(value);
      return static_cast<double>(integer) == value ? std::optional(integer) : std::nullopt;
    }
    case Type::kDecimal128:
      return decimal_to_int64_exact(get_decimal128());
    default:
      return std::nullopt;
  }
}

std::optional<double> ValueView::as_double() const {
  switch (type_) {
    case Type::kInt32:
      return get_int32();
    case Type::kInt64:
      return static_cast<double>(get_int64());
    case Type::kDouble:
      return get_double();
    case Type::kDecimal128:
      return decimal_to_double(get_decimal128());
    default:
      return std::nullopt;
  }
}

bool ValueView::truthy() const {
  switch (type_) {
    case Type::kMissing:
    case Type::kNull:
    case Type::kUndefined:
      return false;
    case Type::kBool:
      return get_bool();
    case Type::kInt32:
      return get_int32() != 0;
    case Type::kInt64:
      return get_int64() != 0;
    case Type::kDouble:
      return get_double() != 0.0;
    case Type::kDecimal128:
      return !decimal_is_zero(get_decimal128());
    default:
      return true;
  }
}

View::View() : data_(kEmptyDocument) {}

void View::Iterator::read() {
  if (at_ == end_) {
    element_ = {};
    next_ = at_;
    return;
  }
  const auto type = static_cast<Type>(*at_);
  const std::uint8_t* name = at_ + 1;
  const std::size_t length = name_size(name, end_);
  const std::uint8_t* data = name + length + 1;
  const std::uint32_t size = value_size(type, data);
  element_ = {{reinterpret_cast<const char*>(name), length}, {type, data, size}};
  next_ = data + size;
  RESTITCH_DASSERT(next_ <= end_);
}

ValueView View::find(std::string_view name) const {
  const std::uint8_t* at = data_ + 4;
  const std::uint8_t* const end = data_ + size() - 1;
  while (at != end) {
    const auto type = static_cast<Type>(*at++);
    const std::size_t length = name_size(at, end);
    const std::uint8_t* data = at + length + 1;
    const std::uint32_t size = value_size(type, data);
    if (length == name.size() && std::memcmp(at, name.data(), length) == 0)
      return {type, data, size};
    at = data + size;
    RESTITCH_DASSERT(at <= end);
  }
  return {};
}

ValueView View::find_path(std::string_view dotted) const {
  View at = *this;
  while (true) {
    const std::size_t dot = dotted.find('.');
    const ValueView value = at.find(dotted.substr(0, dot));
    if (dot == std::string_view::npos) return value;
    if (value.type() != Type::kObject) return {};
    at = value.get_document();
    dotted.remove_prefix(dot + 1);
  }
}

std::size_t View::count() const { return static_cast<std::size_t>(std::distance(begin(), end())); }

}  // namespace restitch::bson
