#include "bson/decimal.h"

// The build of the library in use: arguments, rounding mode by value, status flags by pointer,
// nothing global.
#define DECIMAL_CALL_BY_REFERENCE 0
#define DECIMAL_GLOBAL_ROUNDING 0
#define DECIMAL_GLOBAL_EXCEPTION_FLAGS 0
#include <bid_conf.h>
#include <bid_functions.h>

#include <charconv>
#include <cmath>
#include <cstring>

#include "bson/decimal_parts.h"

namespace restitch::bson {
namespace {

using Kind = DecimalParts::Kind;

BID_UINT128 to_bid(Decimal128 value) {
  BID_UINT128 out;
  out.w[0] = value.low;
  out.w[1] = value.high;
  return out;
}

Decimal128 from_bid(BID_UINT128 value) { return {value.w[0], value.w[1]}; }

using Binary = BID_UINT128 (*)(BID_UINT128, BID_UINT128, _IDEC_round, _IDEC_flags*);
using Unary = BID_UINT128 (*)(BID_UINT128, _IDEC_round, _IDEC_flags*);

Decimal128 apply(Binary function, Decimal128 a, Decimal128 b) {
  _IDEC_flags flags = 0;
  return from_bid(function(to_bid(a), to_bid(b), BID_ROUNDING_TO_NEAREST, &flags));
}

Decimal128 apply(Unary function, Decimal128 a) {
  _IDEC_flags flags = 0;
  return from_bid(function(to_bid(a), BID_ROUNDING_TO_NEAREST, &flags));
}

double to_double(Decimal128 value, _IDEC_round mode) {
  _IDEC_flags flags = 0;
  return bid128_to_binary64(to_bid(value), mode, &flags);
}

// Rounds to 34 digits in the given direction; `exact` tells whether nothing was lost.
Decimal128 from_double(double value, _IDEC_round mode, bool& exact) {
  _IDEC_flags flags = 0;
  const Decimal128 out = from_bid(binary64_to_bid128(value, mode, &flags));
  exact = (flags & BID_INEXACT_EXCEPTION) == 0;
  return out;
}

unsigned bid_rounding(Rounding mode) {
  switch (mode) {
    case Rounding::kHalfEven:
      return BID_ROUNDING_TO_NEAREST;
    case Rounding::kTowardZero:
      return BID_ROUNDING_TO_ZERO;
    case Rounding::kFloor:
      return BID_ROUNDING_DOWN;
    case Rounding::kCeiling:
      return BID_ROUNDING_UP;
  }
  return BID_ROUNDING_TO_NEAREST;
}

// The integer part and whether anything stands behind the point. Nothing if it does not fit int64.
struct Truncated {
  std::int64_t value;
  bool exact;
};

std::optional<Truncated> truncate(Decimal128 value) {
  const DecimalParts parts = split(value);
  if (parts.kind != Kind::kFinite) return std::nullopt;
  if (parts.coefficient == 0) return Truncated{0, true};
  Uint128 magnitude = parts.coefficient;
  bool exact = true;
  if (parts.exponent < 0) {
    if (-parts.exponent >= kDecimalDigits) return Truncated{0, false};
    const Uint128 unit = power_of_ten(-parts.exponent);
    exact = magnitude % unit == 0;
    magnitude /= unit;
  } else {
    if (digit_count(magnitude) + parts.exponent > 19) return std::nullopt;
    magnitude *= power_of_ten(parts.exponent);
  }
  const Uint128 limit = (static_cast<Uint128>(1) << 63U) - (parts.negative ? 0 : 1);
  if (magnitude > limit) return std::nullopt;
  const auto bits = static_cast<std::uint64_t>(magnitude);
  return Truncated{static_cast<std::int64_t>(parts.negative ? 0 - bits : bits), exact};
}

int sign(bool less, bool greater) { return static_cast<int>(greater) - static_cast<int>(less); }

}  // namespace

Decimal128 decimal_from_int64(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  DecimalParts parts;
  parts.negative = value < 0;
  parts.coefficient = value < 0 ? 0 - bits : bits;
  return join(parts);
}

Decimal128 decimal_from_double(double value) {
  constexpr int kDigits = 15;
  if (value == 0.0 || !std::isfinite(value)) return decimal_from_double_exact(value);
  char text[32];
  const auto end =
      std::to_chars(text, text + sizeof(text), value, std::chars_format::scientific, kDigits - 1);
  DecimalParts parts;
  const char* at = text;
  for (; at != end.ptr && *at != 'e'; ++at) {
    if (*at == '-') parts.negative = true;
    if (*at >= '0' && *at <= '9') {
      parts.coefficient = parts.coefficient * 10 + static_cast<unsigned>(*at - '0');
    }
  }
  ++at;                  // 'e'
  if (*at == '+') ++at;  // from_chars takes no plus
  int exponent = 0;
  std::from_chars(at, end.ptr, exponent);
  parts.exponent = exponent - (kDigits - 1);
  return join(parts);
}

Decimal128 decimal_from_double_exact(double value) {
  if (std::isnan(value)) {
    DecimalParts parts;
    parts.kind = Kind::kNan;
    return join(parts);
  }
  bool exact = false;
  return from_double(value, BID_ROUNDING_TO_NEAREST, exact);
}

double decimal_to_double(Decimal128 value) { return to_double(value, BID_ROUNDING_TO_NEAREST); }

double decimal_to_double_truncated(Decimal128 value) {
  return to_double(value, BID_ROUNDING_TO_ZERO);
}

std::optional<std::int64_t> decimal_to_int64_exact(Decimal128 value) {
  const auto truncated = truncate(value);
  return truncated && truncated->exact ? std::optional(truncated->value) : std::nullopt;
}

std::optional<std::int64_t> decimal_to_int64_truncated(Decimal128 value) {
  const auto truncated = truncate(value);
  return truncated ? std::optional(truncated->value) : std::nullopt;
}

bool decimal_is_nan(Decimal128 value) { return split(value).kind == Kind::kNan; }
bool decimal_is_infinite(Decimal128 value) { return split(value).kind == Kind::kInfinite; }

bool decimal_is_zero(Decimal128 value) {
  const DecimalParts parts = split(value);
  return parts.kind == Kind::kFinite && parts.coefficient == 0;
}

bool decimal_is_negative(Decimal128 value) { return split(value).negative; }

Decimal128 decimal_add(Decimal128 a, Decimal128 b) { return apply(bid128_add, a, b); }
Decimal128 decimal_subtract(Decimal128 a, Decimal128 b) { return apply(bid128_sub, a, b); }
Decimal128 decimal_multiply(Decimal128 a, Decimal128 b) { return apply(bid128_mul, a, b); }
Decimal128 decimal_divide(Decimal128 a, Decimal128 b) { return apply(bid128_div, a, b); }

Decimal128 decimal_modulo(Decimal128 a, Decimal128 b) {
  _IDEC_flags flags = 0;
  return from_bid(bid128_fmod(to_bid(a), to_bid(b), &flags));
}

Decimal128 decimal_negate(Decimal128 a) {
  return decimal_is_nan(a) ? a : Decimal128{a.low, a.high ^ 1ULL << 63U};
}

Decimal128 decimal_absolute(Decimal128 a) { return {a.low, a.high & ~(1ULL << 63U)}; }
Decimal128 decimal_power(Decimal128 a, Decimal128 b) { return apply(bid128_pow, a, b); }
Decimal128 decimal_square_root(Decimal128 a) { return apply(bid128_sqrt, a); }
Decimal128 decimal_exp(Decimal128 a) { return apply(bid128_exp, a); }
Decimal128 decimal_ln(Decimal128 a) { return apply(bid128_log, a); }
Decimal128 decimal_log10(Decimal128 a) { return apply(bid128_log10, a); }

Decimal128 decimal_round(Decimal128 a, int place, Rounding mode) {
  if (split(a).kind != Kind::kFinite) return a;
  if (place > -kMinDecimalExponent || place < -kMaxDecimalExponent) return a;
  DecimalParts quantum;
  quantum.coefficient = 1;
  quantum.exponent = -place;
  _IDEC_flags flags = 0;
  const BID_UINT128 rounded =
      bid128_quantize(to_bid(a), to_bid(join(quantum)), bid_rounding(mode), &flags);
  return (flags & BID_INVALID_EXCEPTION) != 0 ? a : from_bid(rounded);
}

int decimal_compare(Decimal128 a, Decimal128 b) {
  const bool a_is_nan = decimal_is_nan(a);
  const bool b_is_nan = decimal_is_nan(b);
  if (a_is_nan || b_is_nan) return sign(!b_is_nan, !a_is_nan);
  _IDEC_flags flags = 0;
  if (bid128_quiet_equal(to_bid(a), to_bid(b), &flags) != 0) return 0;
  return bid128_quiet_less(to_bid(a), to_bid(b), &flags) != 0 ? -1 : 1;
}

int decimal_compare_double(Decimal128 a, double b) {
  if (decimal_is_nan(a) || std::isnan(b)) return sign(!std::isnan(b), !decimal_is_nan(a));
  // Rounding is monotonic, so values that differ after rounding differ the same way before it.
  const double nearest = decimal_to_double(a);
  if (nearest != b) return nearest < b ? -1 : 1;
  if (std::isinf(b)) {
    if (decimal_is_infinite(a)) return 0;
    return b > 0 ? -1 : 1;
  }
  bool exact = false;
  const Decimal128 below = from_double(b, BID_ROUNDING_DOWN, exact);
  if (exact) return decimal_compare(a, below);
  return decimal_compare(a, below) <= 0 ? -1 : 1;
}

int decimal_compare_int64(Decimal128 a, std::int64_t b) {
  return decimal_compare(a, decimal_from_int64(b));
}

}  // namespace restitch::bson
