#pragma once

#include <cstdint>

#include "bson/types.h"

namespace restitch::bson {

__extension__ using Uint128 = unsigned __int128;

// Decimal128 in the BID encoding of IEEE 754-2008: (-1)^sign * coefficient * 10^exponent.
inline constexpr int kDecimalDigits = 34;
inline constexpr int kMinDecimalExponent = -6176;
inline constexpr int kMaxDecimalExponent = 6111;

struct DecimalParts {
  enum class Kind : std::uint8_t { kFinite, kInfinite, kNan };

  Uint128 coefficient = 0;
  int exponent = 0;
  bool negative = false;
  Kind kind = Kind::kFinite;
};

// A coefficient above 10^34 - 1 is not canonical and means zero, as the standard says.
DecimalParts split(Decimal128 value);
// The reverse. Exponent and coefficient must be within the format's range.
Decimal128 join(const DecimalParts& parts);

// 10^n for 0 <= n <= 38.
Uint128 power_of_ten(int n);
// Decimal digits of `value`; 0 for zero.
int digit_count(Uint128 value);

}  // namespace restitch::bson
