#include "query/expression/convert.h"

#include <charconv>
#include <cmath>
#include <limits>

#include "bson/extended_json.h"
#include "query/expression/dates.h"
#include "query/expression/numbers.h"
#include "query/expression/text.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

constexpr int kConversionFailure = 241;
constexpr std::string_view kNoOnError = " in $convert with no onError value";

Error failure(const std::string& text, const std::string& behind) {
  return mongo_error(kConversionFailure, text + std::string(kNoOnError) + behind);
}

Error unsupported(ValueView value, Type target) {
  return failure("Unsupported conversion from " + type_name(value) + " to " +
                     std::string(bson::alias_of(target)),
                 "");
}

Error overflow(ValueView value) {
  return failure("Conversion would overflow target type", ": " + bson::to_shell(value));
}

Error bad_number(std::string_view text, std::string_view reason) {
  return failure("Failed to parse number '" + std::string(text) + "'", ": " + std::string(reason));
}

Value integer_value(std::int64_t value, Type target) {
  return target == Type::kInt32 ? Value::of(static_cast<std::int32_t>(value)) : Value::of(value);
}

bool fits(std::int64_t value, Type target) {
  return target == Type::kInt64 || (value >= std::numeric_limits<std::int32_t>::min() &&
                                    value <= std::numeric_limits<std::int32_t>::max());
}

// The integral part of a double or decimal.
Result<std::int64_t> truncated(ValueView value) {
  const double approximate = *value.as_double();
  if (std::isnan(approximate)) {
    return failure("Attempt to convert NaN value to integer type", "");
  }
  const bool is_infinite = value.type() == Type::kDecimal128
                               ? bson::decimal_is_infinite(value.get_decimal128())
                               : std::isinf(approximate);
  if (is_infinite) return failure("Attempt to convert infinity value to integer type", "");
  if (value.type() == Type::kDecimal128) {
    const auto integer = bson::decimal_to_int64_truncated(value.get_decimal128());
    if (!integer) return overflow(value);
    return *integer;
  }
  constexpr double kLimit = 9223372036854775808.0;
  if (!(approximate >= -kLimit && approximate < kLimit)) return overflow(value);
  return static_cast<std::int64_t>(approximate);
}

Result<std::int64_t> parse_integer(std::string_view text, Type target) {
  std::string_view digits = text;
  if (digits.substr(0, 2) == "0x") {
    return failure("Illegal hexadecimal input", ": " + std::string(text));
  }
  if (digits.empty()) return bad_number(text, "Empty string");
  if (digits.front() == '+') digits.remove_prefix(1);
  std::int64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec == std::errc::invalid_argument) return bad_number(text, "Did not consume any digits");
  if (read.ptr != digits.data() + digits.size())
    return bad_number(text, "Did not consume whole string.");
  if (read.ec == std::errc::result_out_of_range || !fits(value, target))
    return bad_number(text, "Overflow");
  return value;
}

Result<Value> to_integer(ValueView value, Type target) {
  switch (value.type()) {
    case Type::kBool:
      return integer_value(value.get_bool() ? 1 : 0, target);
    case Type::kInt32:
    case Type::kInt64:
      if (!fits(integer_of(value), target)) return overflow(value);
      return integer_value(integer_of(value), target);
    case Type::kDouble:
    case Type::kDecimal128: {
      RESTITCH_TRY(const std::int64_t integer, truncated(value));
      if (!fits(integer, target)) return overflow(value);
      return integer_value(integer, target);
    }
    case Type::kString: {
      RESTITCH_TRY(const std::int64_t integer, parse_integer(value.get_string(), target));
      return integer_value(integer, target);
    }
    case Type::kDate:
      if (target == Type::kInt64) return Value::of(value.get_date().millis);
      return unsupported(value, target);
    default:
      return unsupported(value, target);
  }
}

Result<double> parse_double(std::string_view text) {
  if (text.substr(0, 2) == "0x")
    return failure("Illegal hexadecimal input", ": " + std::string(text));
  if (text.empty()) return bad_number(text, "Empty string");
  std::string_view digits = text;
  if (digits.front() == '+') digits.remove_prefix(1);
  double value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec == std::errc::invalid_argument) return bad_number(text, "Did not consume any digits");
  if (read.ptr != digits.data() + digits.size())
    return bad_number(text, "Did not consume whole string.");
  if (read.ec == std::errc::result_out_of_range) return bad_number(text, "Out of range");
  return value;
}

Result<Value> to_double(ValueView value) {
  switch (value.type()) {
    case Type::kBool:
      return Value::of(value.get_bool() ? 1.0 : 0.0);
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDouble:
      return Value::of(*value.as_double());
    case Type::kDecimal128: {
      const double out = *value.as_double();
      if (std::isinf(out) && !bson::decimal_is_infinite(value.get_decimal128()))
        return overflow(value);
      return Value::of(out);
    }
    case Type::kString: {
      RESTITCH_TRY(const double out, parse_double(value.get_string()));
      return Value::of(out);
    }
    case Type::kDate:
      return Value::of(static_cast<double>(value.get_date().millis));
    default:
      return unsupported(value, Type::kDouble);
  }
}

Result<Value> to_decimal(ValueView value) {
  switch (value.type()) {
    case Type::kBool:
      return Value::of(bson::decimal_from_int64(value.get_bool() ? 1 : 0));
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDouble:
    case Type::kDecimal128:
      return Value::of(decimal_of(value));
    case Type::kString: {
      const std::string_view text = value.get_string();
      if (text.substr(0, 2) == "0x")
        return failure("Illegal hexadecimal input", ": " + std::string(text));
      if (text.empty()) return bad_number(text, "Empty string");
      const auto out = bson::decimal_from_string(text);
      if (!out) return bad_number(text, "Failed to parse string to decimal");
      return Value::of(*out);
    }
    case Type::kDate:
      return Value::of(bson::decimal_from_int64(value.get_date().millis));
    default:
      return unsupported(value, Type::kDecimal128);
  }
}

Result<Value> to_bool(ValueView value) {
  // Only numbers and booleans can be false; null never gets here.
  return Value::of(value.truthy());
}

Result<Value> to_text(ValueView value) {
  switch (value.type()) {
    case Type::kBool:
      return Value::of(value.get_bool() ? "true" : "false");
    case Type::kObjectId:
      return Value::of(value.get_object_id().to_hex());
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDouble:
    case Type::kDecimal128:
    case Type::kString:
    case Type::kDate: {
      RESTITCH_TRY(const std::string text, coerce_to_string(value));
      return Value::of(text);
    }
    default:
      return unsupported(value, Type::kString);
  }
}

Result<Value> to_date(ValueView value) {
  switch (value.type()) {
    case Type::kDate:
    case Type::kTimestamp:
    case Type::kObjectId: {
      RESTITCH_TRY(const std::int64_t millis, coerce_to_millis(value));
      return Value::of(bson::Date{millis});
    }
    case Type::kInt64:
      return Value::of(bson::Date{value.get_int64()});
    case Type::kDouble:
    case Type::kDecimal128: {
      RESTITCH_TRY(const std::int64_t millis, truncated(value));
      return Value::of(bson::Date{millis});
    }
    case Type::kString: {
      RESTITCH_TRY(const std::int64_t millis, parse_date_text(value.get_string(), nullptr));
      return Value::of(bson::Date{millis});
    }
    default:
      return unsupported(value, Type::kDate);
  }
}

Result<Value> to_object_id(ValueView value) {
  if (value.type() == Type::kObjectId) return Value(value);
  if (value.type() != Type::kString) return unsupported(value, Type::kObjectId);
  const std::string_view text = value.get_string();
  constexpr std::size_t kHexDigits = 24;
  const auto id = bson::ObjectId::from_hex(text);
  if (id) return Value::of(*id);
  const std::string reason =
      text.size() != kHexDigits
          ? "Invalid string length for parsing to OID, expected 24 but found " +
                std::to_string(text.size())
          : "Invalid character found in hex string";
  return failure("Failed to parse objectId '" + std::string(text) + "'", ": " + reason);
}

}  // namespace

Result<Value> convert_value(ValueView value, Type target) {
  switch (target) {
    case Type::kInt32:
    case Type::kInt64:
      return to_integer(value, target);
    case Type::kDouble:
      return to_double(value);
    case Type::kDecimal128:
      return to_decimal(value);
    case Type::kBool:
      return to_bool(value);
    case Type::kString:
      return to_text(value);
    case Type::kDate:
      return to_date(value);
    case Type::kObjectId:
      return to_object_id(value);
    default:
      return unsupported(value, target);
  }
}

}  // namespace restitch::query
