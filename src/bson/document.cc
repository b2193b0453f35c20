#include "bson/document.h"

#include <charconv>

namespace restitch::bson {

Value Value::of(Timestamp value) {
  const std::uint64_t bits = static_cast<std::uint64_t>(value.seconds) << 32U | value.increment;
  return Value(Type::kTimestamp, store(&bits, 8));
}

Value Value::of(Decimal128 value) {
  std::string bytes = store(&value.low, 8);
  bytes.append(reinterpret_cast<const char*>(&value.high), 8);
  return Value(Type::kDecimal128, std::move(bytes));
}

Value Value::binary(std::uint8_t subtype, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::string out = store(&size, 4);
  out.push_back(static_cast<char>(subtype));
  out.append(bytes);
  return Value(Type::kBinary, std::move(out));
}

Value Value::regex(std::string_view pattern, std::string_view options) {
  std::string out(pattern);
  out.push_back('\0');
  out.append(options);
  out.push_back('\0');
  return Value(Type::kRegex, std::move(out));
}

Value Value::string_like(Type type, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size() + 1);
  std::string out;
  out.reserve(text.size() + 5);
  out.append(reinterpret_cast<const char*>(&size), 4);
  out.append(text);
  out.push_back('\0');
  return Value(type, std::move(out));
}

Builder& Builder::append(std::string_view name, ValueView value) {
  if (value.is_missing()) return *this;
  header(value.type(), name);
  bytes_.append(value.raw());
  return *this;
}

Builder& Builder::append(std::string_view name, bool value) {
  header(Type::kBool, name);
  bytes_.push_back(value ? '\1' : '\0');
  return *this;
}

Builder& Builder::append(std::string_view name, std::int32_t value) {
  header(Type::kInt32, name);
  put(&value, 4);
  return *this;
}

Builder& Builder::append(std::string_view name, std::int64_t value) {
  header(Type::kInt64, name);
  put(&value, 8);
  return *this;
}

Builder& Builder::append(std::string_view name, double value) {
  header(Type::kDouble, name);
  put(&value, 8);
  return *this;
}

Builder& Builder::append(std::string_view name, std::string_view value) {
  header(Type::kString, name);
  const auto size = static_cast<std::uint32_t>(value.size() + 1);
  put(&size, 4);
  bytes_.append(value);
  bytes_.push_back('\0');
  return *this;
}

Builder& Builder::append(std::string_view name, const ObjectId& value) {
  header(Type::kObjectId, name);
  put(value.bytes.data(), 12);
  return *this;
}

Builder& Builder::append(std::string_view name, Date value) {
  header(Type::kDate, name);
  put(&value.millis, 8);
  return *this;
}

Builder& Builder::append(std::string_view name, Timestamp value) {
  header(Type::kTimestamp, name);
  put(&value.increment, 4);
  put(&value.seconds, 4);
  return *this;
}

Builder& Builder::append(std::string_view name, Decimal128 value) {
  header(Type::kDecimal128, name);
  put(&value.low, 8);
  put(&value.high, 8);
  return *this;
}

Builder& Builder::append(std::string_view name, Null) {
  header(Type::kNull, name);
  return *this;
}

Builder& Builder::append(std::string_view name, View object) {
  header(Type::kObject, name);
  bytes_.append(object.bytes());
  return *this;
}

Builder& Builder::append_array(std::string_view name, View array) {
  header(Type::kArray, name);
  bytes_.append(array.bytes());
  return *this;
}

Builder& Builder::append_binary(std::string_view name, std::uint8_t subtype,
                                std::string_view bytes) {
  header(Type::kBinary, name);
  const auto size = static_cast<std::uint32_t>(bytes.size());
  put(&size, 4);
  bytes_.push_back(static_cast<char>(subtype));
  bytes_.append(bytes);
  return *this;
}

Builder& Builder::append_regex(std::string_view name, std::string_view pattern,
                               std::string_view options) {
  header(Type::kRegex, name);
  bytes_.append(pattern);
  bytes_.push_back('\0');
  bytes_.append(options);
  bytes_.push_back('\0');
  return *this;
}

Builder& Builder::append_all(View object) {
  const std::string_view bytes = object.bytes();
  bytes_.append(bytes.substr(4, bytes.size() - 5));
  return *this;
}

Builder& Builder::open(Type type, std::string_view name) {
  header(type, name);
  open_.push_back({bytes_.size(), type == Type::kArray, 0});
  bytes_.append(4, '\0');
  return *this;
}

Builder& Builder::close() {
  RESTITCH_DASSERT(!open_.empty());
  bytes_.push_back('\0');
  const std::size_t start = open_.back().start;
  const auto size = static_cast<std::uint32_t>(bytes_.size() - start);
  std::memcpy(bytes_.data() + start, &size, 4);
  open_.pop_back();
  return *this;
}

std::string_view Builder::next_index() {
  Frame& frame = open_.back();
  const auto end =
      std::to_chars(index_text_, index_text_ + sizeof(index_text_), frame.next_index++);
  return {index_text_, static_cast<std::size_t>(end.ptr - index_text_)};
}

Document Builder::finish() && {
  while (!open_.empty()) close();
  return Document::from_bytes(std::move(bytes_));
}

}  // namespace restitch::bson
