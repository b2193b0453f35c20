#include <cmath>
#include <numbers>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/expression/operator.h"

namespace restitch::query {
namespace {

using bson::Decimal128;
using bson::Type;
using bson::Value;
using bson::ValueView;

Error not_a_number(const Args& args, ValueView value) {
  return mongo_error(
      28765, std::string(args.name) + " only supports numeric types, not " + type_name(value));
}

bool is_negative(ValueView number) { return *number.as_double() < 0; }

Value value_of(double result) { return Value::of(result); }

Result<Value> square_root(const Args& args) {
  const ValueView a = args[0];
  if (a.is_nullish()) return Value::null();
  if (!a.is_number()) return not_a_number(args, a);
  if (is_negative(a)) {
    return mongo_error(28714, "$sqrt's argument must be greater than or equal to 0");
  }
  if (a.type() == Type::kDecimal128) {
    return Value::of(bson::decimal_square_root(a.get_decimal128()));
  }
  return value_of(std::sqrt(*a.as_double()));
}

Result<Value> exponential(const Args& args) {
  const ValueView a = args[0];
  if (a.is_nullish()) return Value::null();
  if (!a.is_number()) return not_a_number(args, a);
  if (a.type() == Type::kDecimal128) return Value::of(bson::decimal_exp(a.get_decimal128()));
  return value_of(std::exp(*a.as_double()));
}

Result<Value> logarithm(const Args& args, int code, double (*function)(double),
                        Decimal128 (*decimal)(Decimal128)) {
  const ValueView a = args[0];
  if (a.is_nullish()) return Value::null();
  if (!a.is_number()) return not_a_number(args, a);
  if (*a.as_double() <= 0) {
    return mongo_error(code, std::string(args.name) +
                                 "'s argument must be a positive number, but is " +
                                 bson::to_shell(a));
  }
  if (a.type() == Type::kDecimal128) return Value::of(decimal(a.get_decimal128()));
  return value_of(function(*a.as_double()));
}

Result<Value> natural_logarithm(const Args& args) {
  return logarithm(args, 28766, std::log, bson::decimal_ln);
}
Result<Value> decimal_logarithm(const Args& args) {
  return logarithm(args, 28761, std::log10, bson::decimal_log10);
}

Result<Value> logarithm_to_base(const Args& args) {
  const ValueView a = args[0];
  const ValueView base = args[1];
  if (args.any_nullish()) return Value::null();
  if (!a.is_number())
    return mongo_error(28756, "$log's argument must be numeric, not " + type_name(a));
  if (!base.is_number())
    return mongo_error(28757, "$log's base must be numeric, not " + type_name(base));
  if (*a.as_double() <= 0) {
    return mongo_error(28758,
                       "$log's argument must be a positive number, but is " + bson::to_shell(a));
  }
  if (*base.as_double() <= 0 || *base.as_double() == 1) {
    return mongo_error(28759, "$log's base must be a positive number not equal to 1, but is " +
                                  bson::to_shell(base));
  }
  if (wider(a.type(), base.type()) == Type::kDecimal128) {
    return Value::of(
        bson::decimal_divide(bson::decimal_ln(decimal_of(a)), bson::decimal_ln(decimal_of(base))));
  }
  return value_of(std::log(*a.as_double()) / std::log(*base.as_double()));
}

// Nothing when the power does not fit.
std::optional<std::int64_t> integer_power(std::int64_t base, std::int64_t exponent) {
  if (base == 1 || exponent == 0) return 1;
  if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  if (base == 0) return 0;
  std::int64_t out = 1;
  constexpr std::int64_t kBits = 63;
  if (exponent > kBits) return std::nullopt;
  for (std::int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(out, base, &out)) return std::nullopt;
  }
  return out;
}

Result<Value> power(const Args& args) {
  const ValueView base = args[0];
  const ValueView exponent = args[1];
  if (args.any_nullish()) return Value::null();
  if (!base.is_number())
    return mongo_error(28762, "$pow's base must be numeric, not " + type_name(base));
  if (!exponent.is_number()) {
    return mongo_error(28763, "$pow's exponent must be numeric, not " + type_name(exponent));
  }
  if (!base.truthy() && is_negative(exponent)) {
    return mongo_error(28764, "$pow cannot take a base of 0 and a negative exponent");
  }
  const Type type = wider(base.type(), exponent.type());
  if (type == Type::kDecimal128) {
    return Value::of(bson::decimal_power(decimal_of(base), decimal_of(exponent)));
  }
  const bool is_small = base.type() == Type::kInt32 && exponent.type() == Type::kInt32;
  if (type != Type::kDouble && integer_of(exponent) >= 0) {
    if (const auto out = integer_power(integer_of(base), integer_of(exponent))) {
      return make_integer(*out, is_small);
    }
  }
  // A negative exponent has an integral result for a base of 1 or -1 only.
  if (type != Type::kDouble && std::abs(integer_of(base)) == 1) {
    const bool is_minus = integer_of(base) == -1 && integer_of(exponent) % 2 != 0;
    return make_integer(is_minus ? -1 : 1, is_small);
  }
  return value_of(std::pow(*base.as_double(), *exponent.as_double()));
}

double to_radians(double degrees) { return degrees * (std::numbers::pi / 180.0); }
double to_degrees(double radians) { return radians * (180.0 / std::numbers::pi); }

// Trigonometry is done in doubles; a decimal operand gives the decimal of the double.
template <double (*function)(double)>
Result<Value> trigonometric(const Args& args) {
  const ValueView a = args[0];
  if (a.is_nullish()) return Value::null();
  if (!a.is_number()) return not_a_number(args, a);
  const double out = function(*a.as_double());
  if (a.type() == Type::kDecimal128) return Value::of(bson::decimal_from_double_exact(out));
  return value_of(out);
}

// The bounds within which the function is defined, as MongoDB prints them.
struct Domain {
  double low, high;
  const char* text;
};
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kLargest = std::numeric_limits<double>::max();
constexpr Domain kUnit = {-1, 1, "[-1,1]"};
constexpr Domain kFinite = {-kLargest, kLargest, "(-inf,inf)"};
constexpr Domain kFromOne = {1, kInfinity, "[1,inf]"};

template <double (*function)(double), const Domain& domain>
Result<Value> bounded(const Args& args) {
  const ValueView a = args[0];
  const auto value = a.as_double();
  if (value && !std::isnan(*value) && (*value < domain.low || *value > domain.high)) {
    return mongo_error(50989, "cannot apply " + std::string(args.name) + " to " +
                                  plain_double(*value) + ", value must be in " + domain.text);
  }
  return trigonometric<function>(args);
}

Result<Value> arc_tangent_2(const Args& args) {
  if (args.any_nullish()) return Value::null();
  for (const ValueView& value : args.values) {
    if (!value.is_number()) {
      return mongo_error(51044 + static_cast<int>(&value - args.values.data()),
                         "$atan2 only supports numeric types, not " + type_name(value));
    }
  }
  const double out = std::atan2(*args[0].as_double(), *args[1].as_double());
  if (wider(args[0].type(), args[1].type()) == Type::kDecimal128) {
    return Value::of(bson::decimal_from_double_exact(out));
  }
  return value_of(out);
}

constexpr OperatorDefinition kOperators[] = {
    eager("$sqrt", 1, square_root),
    eager("$exp", 1, exponential),
    eager("$ln", 1, natural_logarithm),
    eager("$log10", 1, decimal_logarithm),
    eager("$log", 2, logarithm_to_base),
    eager("$pow", 2, power),
    eager("$sin", 1, bounded<std::sin, kFinite>),
    eager("$cos", 1, bounded<std::cos, kFinite>),
    eager("$tan", 1, bounded<std::tan, kFinite>),
    eager("$asin", 1, bounded<std::asin, kUnit>),
    eager("$acos", 1, bounded<std::acos, kUnit>),
    eager("$atan", 1, trigonometric<std::atan>),
    eager("$atan2", 2, arc_tangent_2),
    eager("$sinh", 1, trigonometric<std::sinh>),
    eager("$cosh", 1, trigonometric<std::cosh>),
    eager("$tanh", 1, trigonometric<std::tanh>),
    eager("$asinh", 1, trigonometric<std::asinh>),
    eager("$acosh", 1, bounded<std::acosh, kFromOne>),
    eager("$atanh", 1, bounded<std::atanh, kUnit>),
    eager("$degreesToRadians", 1, trigonometric<to_radians>),
    eager("$radiansToDegrees", 1, trigonometric<to_degrees>),
};

}  // namespace

OperatorTable mathematical_operators() { return kOperators; }

}  // namespace restitch::query
