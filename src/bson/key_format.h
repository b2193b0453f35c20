#pragma once

#include <cstdint>
#include <string>

namespace restitch::bson {

// First byte of every encoded value, in canonical order. All lie strictly between kBelowAllValues
// and kAboveAllValues, inverted or not.
enum class KeyClass : std::uint8_t {
  kMinKey = 0x0A,
  kUndefined = 0x0F,
  kNull = 0x14,
  // Numbers: NaN, below -2^63 or equal to it, negative whole parts of 8 to 1 bytes, between -1 and
  // 0, zero, and the same upwards. The whole part is shifted left by one to make room for the "has
  // a fraction" bit.
  kNan = 0x1E,
  kHugeNegative = 0x1F,
  kNegative8 = 0x20,
  kNegative1 = 0x27,
  kSmallNegative = 0x28,
  kZero = 0x29,
  kSmallPositive = 0x2A,
  kPositive1 = 0x2B,
  kPositive8 = 0x32,
  kHugePositive = 0x33,
  kString = 0x3C,
  kObject = 0x46,
  kArray = 0x50,
  kBinary = 0x5A,
  kObjectId = 0x64,
  kFalse = 0x6E,
  kTrue = 0x6F,
  kDate = 0x78,
  kTimestamp = 0x82,
  kRegex = 0x8C,
  kDbPointer = 0x96,
  kCode = 0xA0,
  kCodeWithScope = 0xAA,
  kMaxKey = 0xF0,
};

// Ends names, texts, objects and arrays: below every class byte and every byte of an escaped text.
inline constexpr std::uint8_t kKeyEnd = 0x00;

// In texts 0x00 becomes 01 01 and 0x01 becomes 01 02, so that the single terminator byte stays
// unambiguous.
inline constexpr std::uint8_t kTextEscape = 0x01;

// Binaries below this length store it in one byte; others store this byte and then four.
inline constexpr std::uint64_t kLongBinary = 0xFF;

// Whether the continuation of a decimal that no double equals follows.
inline constexpr std::uint8_t kExactFraction = 0x0;
inline constexpr std::uint8_t kDecimalFollows = 0x1;

// Fraction behind a whole part: 52 bits, then one of the two above in the low four.
inline constexpr unsigned kFractionBits = 52;
inline constexpr unsigned kFractionBytes = 7;
// Decimal continuation: biased adjusted exponent (2 bytes), then the coefficient filled up to 34
// digits (15 bytes).
inline constexpr unsigned kDecimalExponentBytes = 2;
inline constexpr unsigned kDecimalCoefficientBytes = 15;

// First type byte of a value whose order loses something. Absent bytes at the end count as zero.
enum class TypeBits : std::uint8_t {
  kDefault = 0,    // int32, string, null
  kAlternate = 1,  // symbol, missing
  kInt64 = 1,
  kDouble = 2,
  kNegativeZero = 3,  // double
  kDecimal = 4,       // then its biased exponent in two bytes
  kRawDouble = 5,     // NaN: then its 8 bytes
  kRawDecimal = 6,    // zero, infinite, NaN or not canonical: then its 16 bytes
};

inline void append_big_endian(std::string& out, std::uint64_t value, unsigned count) {
  for (unsigned i = count; i-- > 0;) out.push_back(static_cast<char>(value >> 8U * i));
}

}  // namespace restitch::bson
