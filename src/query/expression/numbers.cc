#include "query/expression/numbers.h"

#include <cmath>
#include <cstdio>

namespace restitch::query {

using bson::Decimal128;
using bson::Type;
using bson::Value;
using bson::ValueView;

namespace {

int rank_of(Type type) {
  switch (type) {
    case Type::kInt32:
      return 0;
    case Type::kInt64:
      return 1;
    case Type::kDouble:
      return 2;
    default:
      return 3;
  }
}

}  // namespace

Type wider(Type a, Type b) { return rank_of(a) >= rank_of(b) ? a : b; }

Decimal128 decimal_of(ValueView value) {
  if (value.type() == Type::kDecimal128) return value.get_decimal128();
  if (value.type() == Type::kDouble) return bson::decimal_from_double(value.get_double());
  return bson::decimal_from_int64(integer_of(value));
}

std::optional<std::int32_t> as_int32(ValueView value) {
  const auto integer = value.as_integer();
  if (!integer || *integer < std::numeric_limits<std::int32_t>::min() ||
      *integer > std::numeric_limits<std::int32_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(*integer);
}

void DoubleSum::add(double value) {
  plain_ += value;
  const double next = sum_ + value;
  error_ += std::fabs(sum_) >= std::fabs(value) ? (sum_ - next) + value : (value - next) + sum_;
  sum_ = next;
}

double DoubleSum::value() const {
  if (!std::isfinite(plain_) || !std::isfinite(sum_)) {
    return plain_ + static_cast<double>(integers_);
  }
  DoubleSum whole = *this;
  // The integers in two parts, each exact as a double unless the sum is beyond 2^106.
  const auto high = static_cast<double>(integers_);
  if (integers_ != 0) {
    whole.add(high);
    whole.add(static_cast<double>(integers_ - static_cast<Wide>(high)));
  }
  return whole.sum_ + whole.error_;
}

std::optional<std::int64_t> DoubleSum::integer() const {
  if (integers_ < std::numeric_limits<std::int64_t>::min() ||
      integers_ > std::numeric_limits<std::int64_t>::max()) {
    return std::nullopt;
  }
  return static_cast<std::int64_t>(integers_);
}

Decimal128 DoubleSum::decimal() const {
  Decimal128 out;
  if (const auto fits = integer()) {
    out = bson::decimal_from_int64(*fits);
  } else {
    out = bson::decimal_from_double_exact(static_cast<double>(integers_));
  }
  if (plain_ == 0 && sum_ == 0) return out;
  if (!std::isfinite(plain_)) return bson::decimal_add(out, bson::decimal_from_double(plain_));
  out = bson::decimal_add(out, bson::decimal_from_double_exact(sum_));
  return bson::decimal_add(out, bson::decimal_from_double_exact(error_));
}

void NumberSum::add(ValueView number) {
  type_ = wider(type_, number.type());
  switch (number.type()) {
    case Type::kDecimal128:
      decimals_ = bson::decimal_add(decimals_, number.get_decimal128());
      return;
    case Type::kDouble:
      sum_.add(number.get_double());
      return;
    default:
      sum_.add_integer(integer_of(number));
  }
}

Decimal128 NumberSum::decimal() const { return bson::decimal_add(decimals_, sum_.decimal()); }

Value NumberSum::value() const {
  if (type_ == Type::kDecimal128) return Value::of(decimal());
  if (type_ != Type::kDouble) {
    if (const auto integer = sum_.integer()) return make_integer(*integer, type_ == Type::kInt32);
  }
  return Value::of(sum_.value());
}

std::string plain_double(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  char text[40];
  const int size = std::snprintf(text, sizeof(text), "%.16g", value);
  return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace restitch::query
