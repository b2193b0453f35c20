#include <cmath>
#include <limits>

#include "query/expression/numbers.h"
#include "query/expression/operator.h"

namespace restitch::query {
namespace {

using bson::Date;
using bson::Type;
using bson::Value;
using bson::ValueView;

constexpr double kInt64Limit = 9223372036854775808.0;

Error date_overflow(std::string_view name) {
  return mongo_error(15, "date overflow in " + std::string(name));
}

// Milliseconds a number stands for beside a date: rounded to the nearest.
std::optional<std::int64_t> millis_of(ValueView number) {
  if (is_integer(number)) return integer_of(number);
  if (number.type() == Type::kDecimal128) {
    return bson::decimal_to_int64_exact(
        bson::decimal_round(number.get_decimal128(), 0, bson::Rounding::kHalfEven));
  }
  const double rounded = std::round(number.get_double());
  if (!(rounded >= -kInt64Limit && rounded < kInt64Limit)) return std::nullopt;
  return static_cast<std::int64_t>(rounded);
}

Result<Value> add_to_date(std::int64_t date, const Args& args) {
  std::int64_t total = date;
  for (const ValueView& value : args.values) {
    if (value.type() == Type::kDate) continue;
    const auto millis = millis_of(value);
    if (!millis || __builtin_add_overflow(total, *millis, &total)) return date_overflow(args.name);
  }
  return Value::of(Date{total});
}

Result<Value> add(const Args& args) {
  NumberSum sum;
  const ValueView* date = nullptr;
  bool nullish = false;
  for (const ValueView& value : args.values) {
    if (value.is_number()) {
      sum.add(value);
    } else if (value.type() == Type::kDate) {
      if (date != nullptr) return mongo_error(16612, "only one date allowed in an $add expression");
      date = &value;
    } else if (value.is_nullish()) {
      nullish = true;
    } else {
      return mongo_error(16554,
                         "$add only supports numeric or date types, not " + type_name(value));
    }
  }
  if (nullish) return Value::null();
  if (date != nullptr) return add_to_date(date->get_date().millis, args);
  return sum.value();
}

Value subtract_numbers(ValueView a, ValueView b) {
  const Type type = wider(a.type(), b.type());
  if (type == Type::kDecimal128) {
    return Value::of(bson::decimal_subtract(decimal_of(a), decimal_of(b)));
  }
  if (type == Type::kDouble) return Value::of(*a.as_double() - *b.as_double());
  std::int64_t out;
  if (__builtin_sub_overflow(integer_of(a), integer_of(b), &out)) {
    return Value::of(*a.as_double() - *b.as_double());
  }
  return make_integer(out, type == Type::kInt32);
}

Result<Value> subtract(const Args& args) {
  const ValueView a = args[0];
  const ValueView b = args[1];
  if (args.any_nullish()) return Value::null();
  if (a.is_number() && b.is_number()) return subtract_numbers(a, b);
  if (a.type() == Type::kDate && (b.type() == Type::kDate || b.is_number())) {
    const auto millis = b.is_number() ? millis_of(b) : std::optional(b.get_date().millis);
    std::int64_t out;
    if (!millis || __builtin_sub_overflow(a.get_date().millis, *millis, &out)) {
      return date_overflow(args.name);
    }
    return b.is_number() ? Value::of(Date{out}) : Value::of(out);
  }
  return mongo_error(16556, "can't $subtract " + type_name(b) + " from " + type_name(a));
}

Result<Value> multiply(const Args& args) {
  Type type = Type::kInt32;
  bool nullish = false;
  for (const ValueView& value : args.values) {
    if (value.is_number()) {
      type = wider(type, value.type());
    } else if (value.is_nullish()) {
      nullish = true;
    } else {
      return mongo_error(16555, "$multiply only supports numeric types, not " + type_name(value));
    }
  }
  if (nullish) return Value::null();
  if (type == Type::kDecimal128) {
    bson::Decimal128 product = bson::decimal_from_int64(1);
    for (const ValueView& value : args.values) {
      product = bson::decimal_multiply(product, decimal_of(value));
    }
    return Value::of(product);
  }
  double product = 1;
  std::int64_t integer = 1;
  bool exact = type != Type::kDouble;
  for (const ValueView& value : args.values) {
    product *= *value.as_double();
    exact = exact && !__builtin_mul_overflow(integer, integer_of(value), &integer);
  }
  return exact ? make_integer(integer, type == Type::kInt32) : Value::of(product);
}

bool is_zero(ValueView number) { return !number.truthy(); }

Result<Value> divide(const Args& args) {
  const ValueView a = args[0];
  const ValueView b = args[1];
  if (args.any_nullish()) return Value::null();
  if (!a.is_number() || !b.is_number()) {
    return mongo_error(
        16609, "$divide only supports numeric types, not " + type_name(a) + " and " + type_name(b));
  }
  if (is_zero(b)) return mongo_error(2, "can't $divide by zero");
  if (wider(a.type(), b.type()) == Type::kDecimal128) {
    return Value::of(bson::decimal_divide(decimal_of(a), decimal_of(b)));
  }
  return Value::of(*a.as_double() / *b.as_double());
}

Result<Value> mod(const Args& args) {
  const ValueView a = args[0];
  const ValueView b = args[1];
  if (args.any_nullish()) return Value::null();
  if (!a.is_number() || !b.is_number()) {
    return mongo_error(
        16611, "$mod only supports numeric types, not " + type_name(a) + " and " + type_name(b));
  }
  if (is_zero(b)) return mongo_error(16610, "can't $mod by zero");
  const Type type = wider(a.type(), b.type());
  if (type == Type::kDecimal128) {
    return Value::of(bson::decimal_modulo(decimal_of(a), decimal_of(b)));
  }
  // An integer by an integral double is computed, and answered, in integers.
  const auto divisor = b.as_integer();
  if (!is_integer(a) || !divisor) return Value::of(std::fmod(*a.as_double(), *b.as_double()));
  const bool is_long = a.type() == Type::kInt64 || b.type() == Type::kInt64;
  // The smallest long modulo -1 has no quotient.
  return make_integer(*divisor == -1 ? 0 : integer_of(a) % *divisor, !is_long);
}

Result<Value> absolute(const Args& args) {
  const ValueView a = args[0];
  if (a.is_nullish()) return Value::null();
  switch (a.type()) {
    case Type::kDouble:
      return Value::of(std::fabs(a.get_double()));
    case Type::kDecimal128:
      return Value::of(bson::decimal_absolute(a.get_decimal128()));
    case Type::kInt32:
      return make_integer(std::abs(static_cast<std::int64_t>(a.get_int32())), true);
    case Type::kInt64:
      if (a.get_int64() == std::numeric_limits<std::int64_t>::min()) {
        return mongo_error(28680, "can't take $abs of long long min");
      }
      return Value::of(std::abs(a.get_int64()));
    default:
      return mongo_error(28765, "$abs only supports numeric types, not " + type_name(a));
  }
}

constexpr OperatorDefinition kOperators[] = {
    eager("$add", 0, kAnyNumber, add),
    eager("$subtract", 2, subtract),
    eager("$multiply", 0, kAnyNumber, multiply),
    eager("$divide", 2, divide),
    eager("$mod", 2, mod),
    eager("$abs", 1, absolute),
};

}  // namespace

OperatorTable arithmetic_operators() { return kOperators; }

}  // namespace restitch::query
