#include <cmath>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/expression/operator.h"

namespace restitch::query {
namespace {

using bson::Rounding;
using bson::Type;
using bson::Value;
using bson::ValueView;

Error not_a_number(std::string_view name, int code, ValueView value) {
  return mongo_error(code,
                     std::string(name) + " only supports numeric types, not " + type_name(value));
}

Result<Value> to_integral(const Args& args, double (*function)(double), Rounding mode) {
  const ValueView a = args[0];
  if (a.is_nullish()) return Value::null();
  if (a.type() == Type::kDouble) return Value::of(function(a.get_double()));
  if (a.type() == Type::kDecimal128) {
    return Value::of(bson::decimal_round(a.get_decimal128(), 0, mode));
  }
  if (is_integer(a)) return Value(a);
  return not_a_number(args.name, 28765, a);
}

Result<Value> ceiling(const Args& args) { return to_integral(args, std::ceil, Rounding::kCeiling); }
Result<Value> floor_of(const Args& args) { return to_integral(args, std::floor, Rounding::kFloor); }

// Doubles are rounded by their decimal digits, as 15 significant digits tell them apart.
double round_double(double value, int place, Rounding mode) {
  if (!std::isfinite(value)) return value;
  if (place == 0) return mode == Rounding::kHalfEven ? std::nearbyint(value) : std::trunc(value);
  // Beyond the digits of a double nothing changes; before the first digit zero is left.
  constexpr int kDigits = 17;
  if (value == 0 ||
      place - static_cast<int>(std::floor(std::log10(std::fabs(value)))) > kDigits * 2) {
    return value;
  }
  const bson::Decimal128 exact = bson::decimal_from_double_exact(value);
  return bson::decimal_to_double(bson::decimal_round(exact, place, mode));
}

// Integers change only for places before the point.
Result<Value> round_integer(const Args& args, std::int64_t place, Rounding mode) {
  const ValueView a = args[0];
  if (place >= 0) return Value(a);
  constexpr std::int64_t kLastPlace = -18;
  const std::int64_t value = integer_of(a);
  __extension__ typedef __int128 Wide;
  Wide power = 1;
  for (std::int64_t i = place; i < 0; ++i) power *= 10;
  if (place < kLastPlace - 1) return make_integer(0, a.type() == Type::kInt32);
  const Wide rest = value % power;
  Wide out = value - rest;
  if (mode == Rounding::kHalfEven) {
    const Wide twice = 2 * (rest < 0 ? -rest : rest);
    const bool is_odd = (out / power) % 2 != 0;
    if (twice > power || (twice == power && is_odd)) out += value < 0 ? -power : power;
  }
  if (out > INT64_MAX || out < INT64_MIN) {
    return mongo_error(51080, "invalid conversion from Decimal128 result in " +
                                  std::string(args.name) + " resulting from arguments: [" +
                                  bson::to_shell(args[0]) + ", " + std::to_string(place) + "]");
  }
  return make_integer(static_cast<std::int64_t>(out), a.type() == Type::kInt32);
}

Result<Value> round_to_place(const Args& args, Rounding mode) {
  constexpr std::int64_t kMinPlace = -20;
  constexpr std::int64_t kMaxPlace = 100;
  const ValueView a = args[0];
  std::int64_t place = 0;
  if (args.size() > 1) {
    const ValueView precision = args[1];
    if (precision.is_nullish()) return Value::null();
    const auto integer = precision.as_integer();
    if (!integer) {
      return mongo_error(
          51082, "precision argument to  " + std::string(args.name) + " must be a integral value");
    }
    if (*integer < kMinPlace || *integer > kMaxPlace) {
      return mongo_error(51083, "cannot apply " + std::string(args.name) +
                                    " with precision value " + std::to_string(*integer) +
                                    " value must be in [-20, 100]");
    }
    place = *integer;
  }
  if (a.is_nullish()) return Value::null();
  if (!a.is_number()) return not_a_number(args.name, 51081, a);
  const int digits = static_cast<int>(place);
  if (a.type() == Type::kDecimal128) {
    return Value::of(bson::decimal_round(a.get_decimal128(), digits, mode));
  }
  if (a.type() == Type::kDouble) return Value::of(round_double(a.get_double(), digits, mode));
  return round_integer(args, place, mode);
}

Result<Value> round_number(const Args& args) { return round_to_place(args, Rounding::kHalfEven); }
Result<Value> truncate(const Args& args) { return round_to_place(args, Rounding::kTowardZero); }

constexpr OperatorDefinition kOperators[] = {
    eager("$ceil", 1, ceiling),
    eager("$floor", 1, floor_of),
    eager("$round", 1, 2, round_number),
    eager("$trunc", 1, 2, truncate),
};

}  // namespace

OperatorTable rounding_operators() { return kOperators; }

}  // namespace restitch::query
