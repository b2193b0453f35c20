#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "base/assert.h"
#include "bson/types.h"

namespace restitch::bson {

class View;

// One BSON value inside somebody else's bytes: its type and the bytes of its value (without the
// type byte and the name). Valid while those bytes live. The bytes have been validated
// (bson/validate.h) before a ValueView is made, so accessors only check the type
// (RESTITCH_DASSERT); use the `_or` and `as_` forms on input whose type is not known yet.
class ValueView {
 public:
  constexpr ValueView() = default;
  constexpr ValueView(Type type, const std::uint8_t* data, std::uint32_t size)
      : data_(data), size_(size), type_(type) {}

  constexpr Type type() const { return type_; }
  constexpr bool is_missing() const { return type_ == Type::kMissing; }
  // Missing, null or undefined.
  constexpr bool is_nullish() const {
    return type_ == Type::kMissing || type_ == Type::kNull || type_ == Type::kUndefined;
  }
  constexpr bool is_number() const { return bson::is_number(type_); }
  std::string_view raw() const { return {reinterpret_cast<const char*>(data_), size_}; }

  double get_double() const { return load<double>(Type::kDouble); }
  std::int32_t get_int32() const { return load<std::int32_t>(Type::kInt32); }
  std::int64_t get_int64() const { return load<std::int64_t>(Type::kInt64); }
  bool get_bool() const {
    RESTITCH_DASSERT(type_ == Type::kBool);
    return *data_ != 0;
  }
  Date get_date() const { return Date{load<std::int64_t>(Type::kDate)}; }
  Timestamp get_timestamp() const {
    const auto bits = load<std::uint64_t>(Type::kTimestamp);
    return Timestamp{static_cast<std::uint32_t>(bits >> 32U), static_cast<std::uint32_t>(bits)};
  }
  Decimal128 get_decimal128() const {
    RESTITCH_DASSERT(type_ == Type::kDecimal128);
    Decimal128 value;
    std::memcpy(&value.low, data_, 8);
    std::memcpy(&value.high, data_ + 8, 8);
    return value;
  }
  ObjectId get_object_id() const {
    RESTITCH_DASSERT(type_ == Type::kObjectId);
    ObjectId id;
    std::memcpy(id.bytes.data(), data_, 12);
    return id;
  }
  // String, Code or Symbol, without the terminator. May hold NUL characters.
  std::string_view get_string() const {
    RESTITCH_DASSERT(type_ == Type::kString || type_ == Type::kCode || type_ == Type::kSymbol);
    return {reinterpret_cast<const char*>(data_) + 4, size_ - 5};
  }
  // Object or Array.
  View get_document() const;
  BinaryView get_binary() const;
  RegexView get_regex() const;

  // Values of a known kind, or nothing when the type is another.
  std::optional<std::string_view> as_string() const {
    return type_ == Type::kString ? std::optional(get_string()) : std::nullopt;
  }
  std::optional<bool> as_bool() const {
    return type_ == Type::kBool ? std::optional(get_bool()) : std::nullopt;
  }
  std::optional<View> as_object() const;
  std::optional<View> as_array() const;
  std::optional<ObjectId> as_object_id() const {
    return type_ == Type::kObjectId ? std::optional(get_object_id()) : std::nullopt;
  }
  // Any numeric type whose value is integral and fits int64 (a double 3.0 gives 3). Decimals
  // included.
  std::optional<std::int64_t> as_integer() const;
  // Any numeric type, nearest double.
  std::optional<double> as_double() const;
  // MongoDB's truth: false for missing, null, undefined, false and zero; true for the rest.
  bool truthy() const;

 private:
  template <typename T>
  T load([[maybe_unused]] Type expected) const {
    RESTITCH_DASSERT(type_ == expected);
    T value;
    std::memcpy(&value, data_, sizeof(T));
    return value;
  }

  const std::uint8_t* data_ = nullptr;
  std::uint32_t size_ = 0;
  Type type_ = Type::kMissing;
};

struct Element {
  std::string_view name;
  ValueView value;
};

// A BSON document (or array) inside somebody else's bytes. Iteration costs no allocation. The bytes
// must be valid BSON: everything from outside passes bson::validate() once, at the door.
class View {
 public:
  View();  // the empty document
  explicit View(const std::uint8_t* data) : data_(data) {}

  const std::uint8_t* data() const { return data_; }
  std::uint32_t size() const {
    std::uint32_t value;
    std::memcpy(&value, data_, 4);
    return value;
  }
  bool empty() const { return size() <= 5; }
  std::string_view bytes() const { return {reinterpret_cast<const char*>(data_), size()}; }

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Element;
    using difference_type = std::ptrdiff_t;
    using pointer = const Element*;
    using reference = const Element&;

    Iterator() = default;
    Iterator(const std::uint8_t* at, const std::uint8_t* end) : at_(at), end_(end) { read(); }
    const Element& operator*() const { return element_; }
    const Element* operator->() const { return &element_; }
    Iterator& operator++() {
      at_ = next_;
      read();
      return *this;
    }
    Iterator operator++(int) {
      Iterator copy = *this;
      ++*this;
      return copy;
    }
    bool operator==(const Iterator& other) const { return at_ == other.at_; }
    // Bytes of the whole element: type byte, name, terminator, value.
    std::string_view raw() const {
      return {reinterpret_cast<const char*>(at_), static_cast<std::size_t>(next_ - at_)};
    }

   private:
    void read();

    const std::uint8_t* at_ = nullptr;
    const std::uint8_t* next_ = nullptr;
    const std::uint8_t* end_ = nullptr;
    Element element_;
  };

  Iterator begin() const { return {data_ + 4, data_ + size() - 1}; }
  Iterator end() const { return {data_ + size() - 1, data_ + size() - 1}; }

  // First element of that name; a missing value if there is none. Linear.
  ValueView find(std::string_view name) const;
  ValueView operator[](std::string_view name) const { return find(name); }
  bool contains(std::string_view name) const { return !find(name).is_missing(); }
  // Follows object members only ("a.b.c"); arrays are not entered.
  ValueView find_path(std::string_view dotted) const;
  std::size_t count() const;

 private:
  const std::uint8_t* data_;
};

// Value size in bytes for a value of `type` starting at `data`. The bytes must be valid BSON.
std::uint32_t value_size(Type type, const std::uint8_t* data);

}  // namespace restitch::bson
