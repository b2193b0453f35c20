#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bson/view.h"

namespace restitch::bson {

// An owned BSON document. Moving is cheap; a moved-from Document is the empty document.
class Document {
 public:
  Document() = default;
  explicit Document(View view) : bytes_(view.bytes()) {}
  // Takes bytes that are one valid BSON document.
  static Document from_bytes(std::string bytes) {
    Document document;
    document.bytes_ = std::move(bytes);
    return document;
  }

  View view() const {
    return bytes_.empty() ? View() : View(reinterpret_cast<const std::uint8_t*>(bytes_.data()));
  }
  operator View() const { return view(); }  // NOLINT(google-explicit-constructor)
  ValueView operator[](std::string_view name) const { return view().find(name); }
  ValueView find(std::string_view name) const { return view().find(name); }
  bool empty() const { return view().empty(); }
  std::string_view bytes() const { return view().bytes(); }
  std::string into_bytes() && {
    if (bytes_.empty()) bytes_.assign("\x05\0\0\0\0", 5);
    return std::move(bytes_);
  }

  // Byte for byte; see bson/compare.h for MongoDB's equality.
  bool operator==(const Document& other) const { return bytes() == other.bytes(); }

 private:
  std::string bytes_;
};

// An owned BSON value of any type, missing included. Small values stay inline (short-string
// optimisation).
class Value {
 public:
  Value() = default;
  explicit Value(ValueView view) : bytes_(view.raw()), type_(view.type()) {}
  Value(Type type, std::string bytes) : bytes_(std::move(bytes)), type_(type) {}

  static Value null() { return Value(Type::kNull, {}); }
  static Value undefined() { return Value(Type::kUndefined, {}); }
  static Value min_key() { return Value(Type::kMinKey, {}); }
  static Value max_key() { return Value(Type::kMaxKey, {}); }
  static Value of(bool value) { return Value(Type::kBool, std::string(1, value ? '\1' : '\0')); }
  static Value of(std::int32_t value) { return Value(Type::kInt32, store(&value, 4)); }
  static Value of(std::int64_t value) { return Value(Type::kInt64, store(&value, 8)); }
  static Value of(double value) { return Value(Type::kDouble, store(&value, 8)); }
  static Value of(Date value) { return Value(Type::kDate, store(&value.millis, 8)); }
  static Value of(Timestamp value);
  static Value of(Decimal128 value);
  static Value of(const ObjectId& value) {
    return Value(Type::kObjectId, store(value.bytes.data(), 12));
  }
  static Value of(std::string_view value) { return string_like(Type::kString, value); }
  static Value of(const std::string& value) { return of(std::string_view(value)); }
  static Value of(const char* value) { return of(std::string_view(value)); }
  static Value of(Document value) { return Value(Type::kObject, std::move(value).into_bytes()); }
  static Value array(Document value) { return Value(Type::kArray, std::move(value).into_bytes()); }
  static Value object(View value) { return Value(Type::kObject, std::string(value.bytes())); }
  static Value array(View value) { return Value(Type::kArray, std::string(value.bytes())); }
  static Value binary(std::uint8_t subtype, std::string_view bytes);
  static Value regex(std::string_view pattern, std::string_view options);
  static Value string_like(Type type, std::string_view text);

  ValueView view() const {
    return {type_, reinterpret_cast<const std::uint8_t*>(bytes_.data()),
            static_cast<std::uint32_t>(bytes_.size())};
  }
  operator ValueView() const { return view(); }  // NOLINT(google-explicit-constructor)
  Type type() const { return type_; }
  bool is_missing() const { return type_ == Type::kMissing; }

 private:
  static std::string store(const void* data, std::size_t size) {
    return std::string(static_cast<const char*>(data), size);
  }

  std::string bytes_;
  Type type_ = Type::kMissing;
};

// Writes one document front to back. `open_*` and `close` nest; `finish` closes the document.
// Names must not hold NUL. Appending a missing value appends nothing.
//
//   Builder builder;
//   builder.append("find", "orders");
//   builder.open_object("filter");
//   builder.append("open", true);
//   builder.close();
//   Document command = std::move(builder).finish();
class Builder {
 public:
  Builder() {
    bytes_.append(4, '\0');
    open_.push_back({0, false, 0});
  }

  Builder& append(std::string_view name, ValueView value);
  Builder& append(std::string_view name, const Value& value) { return append(name, value.view()); }
  Builder& append(std::string_view name, bool value);
  Builder& append(std::string_view name, std::int32_t value);
  Builder& append(std::string_view name, std::int64_t value);
  Builder& append(std::string_view name, double value);
  Builder& append(std::string_view name, std::string_view value);
  Builder& append(std::string_view name, const std::string& value) {
    return append(name, std::string_view(value));
  }
  Builder& append(std::string_view name, const char* value) {
    return append(name, std::string_view(value));
  }
  Builder& append(std::string_view name, const ObjectId& value);
  Builder& append(std::string_view name, Date value);
  Builder& append(std::string_view name, Timestamp value);
  Builder& append(std::string_view name, Decimal128 value);
  Builder& append(std::string_view name, Null value);
  Builder& append(std::string_view name, View object);
  Builder& append(std::string_view name, const Document& object) {
    return append(name, object.view());
  }
  Builder& append_array(std::string_view name, View array);
  Builder& append_binary(std::string_view name, std::uint8_t subtype, std::string_view bytes);
  Builder& append_regex(std::string_view name, std::string_view pattern, std::string_view options);
  // Copies an element as it stands: type byte, name and value.
  Builder& append_raw(std::string_view element) {
    bytes_.append(element);
    return *this;
  }
  // Copies every element of `object` into the open document.
  Builder& append_all(View object);

  Builder& open_object(std::string_view name) { return open(Type::kObject, name); }
  Builder& open_array(std::string_view name) { return open(Type::kArray, name); }
  Builder& close();

  // The next element of the open array: the name is its index.
  template <typename T>
  Builder& push(const T& value) {
    return append(next_index(), value);
  }
  Builder& push_array(View array) { return append_array(next_index(), array); }
  Builder& push_object() { return open_object(next_index()); }
  Builder& push_open_array() { return open_array(next_index()); }

  std::size_t size() const { return bytes_.size(); }
  Document finish() &&;

 private:
  struct Frame {
    std::size_t start;
    bool is_array;
    std::uint32_t next_index;
  };

  Builder& open(Type type, std::string_view name);
  void header(Type type, std::string_view name) {
    bytes_.push_back(static_cast<char>(type));
    bytes_.append(name);
    bytes_.push_back('\0');
  }
  void put(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
  }
  std::string_view next_index();

  std::string bytes_;
  std::vector<Frame> open_;
  char index_text_[12] = {};
};

// The document {} as bytes, and one-field documents for the many places that need them.
template <typename T>
Document make_document(std::string_view name, const T& value) {
  Builder builder;
  builder.append(name, value);
  return std::move(builder).finish();
}

}  // namespace restitch::bson
