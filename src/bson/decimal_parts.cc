#include "bson/decimal_parts.h"

#include <array>

#include "base/assert.h"

namespace restitch::bson {
namespace {

constexpr std::uint64_t kSignBit = 1ULL << 63U;
constexpr std::uint64_t kInfinityBits = 0x7800000000000000ULL;
constexpr std::uint64_t kNanBits = 0x7C00000000000000ULL;
constexpr std::uint64_t kWideFormBits = 0x6000000000000000ULL;
constexpr unsigned kExponentShift = 49;
constexpr unsigned kWideExponentShift = 47;
constexpr std::uint64_t kExponentMask = 0x3FFF;

constexpr std::array<Uint128, 39> make_powers() {
  std::array<Uint128, 39> powers{};
  Uint128 power = 1;
  for (Uint128& entry : powers) {
    entry = power;
    power *= 10;
  }
  return powers;
}

constexpr std::array<Uint128, 39> kPowers = make_powers();

}  // namespace

Uint128 power_of_ten(int n) { return kPowers[static_cast<std::size_t>(n)]; }

int digit_count(Uint128 value) {
  int low = 0;
  int high = static_cast<int>(kPowers.size());
  // The smallest n with value < 10^n.
  while (low < high) {
    const int middle = (low + high) / 2;
    if (value < power_of_ten(middle)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

DecimalParts split(Decimal128 value) {
  DecimalParts parts;
  parts.negative = (value.high & kSignBit) != 0;
  if ((value.high & kNanBits) == kNanBits) {
    parts.kind = DecimalParts::Kind::kNan;
    return parts;
  }
  if ((value.high & kNanBits) == kInfinityBits) {
    parts.kind = DecimalParts::Kind::kInfinite;
    return parts;
  }
  const bool wide = (value.high & kWideFormBits) == kWideFormBits;
  const unsigned shift = wide ? kWideExponentShift : kExponentShift;
  parts.exponent = static_cast<int>(value.high >> shift & kExponentMask) + kMinDecimalExponent;
  if (wide) return parts;  // its coefficient is at least 2^113: not canonical
  const std::uint64_t high = value.high & ((1ULL << kExponentShift) - 1);
  const Uint128 coefficient = static_cast<Uint128>(high) << 64U | value.low;
  if (coefficient < power_of_ten(kDecimalDigits)) parts.coefficient = coefficient;
  return parts;
}

Decimal128 join(const DecimalParts& parts) {
  const std::uint64_t sign = parts.negative ? kSignBit : 0;
  if (parts.kind == DecimalParts::Kind::kNan) return {0, sign | kNanBits};
  if (parts.kind == DecimalParts::Kind::kInfinite) return {0, sign | kInfinityBits};
  RESTITCH_DASSERT(parts.coefficient < power_of_ten(kDecimalDigits));
  RESTITCH_DASSERT(parts.exponent >= kMinDecimalExponent && parts.exponent <= kMaxDecimalExponent);
  const auto biased = static_cast<std::uint64_t>(parts.exponent - kMinDecimalExponent);
  return {static_cast<std::uint64_t>(parts.coefficient),
          sign | biased << kExponentShift | static_cast<std::uint64_t>(parts.coefficient >> 64U)};
}

}  // namespace restitch::bson
