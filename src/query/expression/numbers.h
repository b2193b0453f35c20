#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bson/decimal.h"
#include "bson/document.h"

namespace restitch::query {

inline std::string type_name(bson::ValueView value) {
  return std::string(bson::alias_of(value.type()));
}

inline bool is_integer(bson::ValueView value) {
  return value.type() == bson::Type::kInt32 || value.type() == bson::Type::kInt64;
}

// Of kInt32 or kInt64.
inline std::int64_t integer_of(bson::ValueView value) {
  return value.type() == bson::Type::kInt32 ? value.get_int32() : value.get_int64();
}

// Of any number; a double is taken with 15 digits, as MongoDB converts operands.
bson::Decimal128 decimal_of(bson::ValueView value);

// The wider of two numeric types: int, long, double, decimal.
bson::Type wider(bson::Type a, bson::Type b);

// int32 if `narrow` and it fits, else int64.
inline bson::Value make_integer(std::int64_t value, bool narrow) {
  const bool fits = value >= std::numeric_limits<std::int32_t>::min() &&
                    value <= std::numeric_limits<std::int32_t>::max();
  return narrow && fits ? bson::Value::of(static_cast<std::int32_t>(value))
                        : bson::Value::of(value);
}

// A number with an integral value that fits int32.
std::optional<std::int32_t> as_int32(bson::ValueView value);

// Exact enough sum of doubles and integers: a running error term is kept (Neumaier), integers are
// added apart.
class DoubleSum {
 public:
  void add(double value);
  void add_integer(std::int64_t value) { integers_ += value; }
  double value() const;
  // Integers only, without doubles: the sum as int64, or nothing when it does not fit.
  std::optional<std::int64_t> integer() const;
  // The whole sum with up to 34 digits.
  bson::Decimal128 decimal() const;

 private:
  __extension__ typedef __int128 Wide;

  double sum_ = 0;
  double error_ = 0;
  double plain_ = 0;  // carries infinities and NaN
  Wide integers_ = 0;
};

// Sum of numbers of all types with MongoDB's result type: the widest type seen, int widening to
// long and long to double where the value does not fit.
class NumberSum {
 public:
  void add(bson::ValueView number);
  bson::Value value() const;
  bson::Decimal128 decimal() const;
  double as_double() const { return sum_.value(); }
  bool is_decimal() const { return type_ == bson::Type::kDecimal128; }

 private:
  DoubleSum sum_;
  bson::Decimal128 decimals_ = bson::decimal_from_int64(0);
  bson::Type type_ = bson::Type::kInt32;
};

// Text of a double as string conversions print it: up to 16 significant digits, "NaN", "Infinity".
std::string plain_double(double value);

}  // namespace restitch::query
