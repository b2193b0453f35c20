#include "bson/key_numbers.h"

#include <bit>
#include <cmath>

#include "bson/decimal.h"
#include "bson/decimal_parts.h"
#include "bson/key_format.h"

namespace restitch::bson {
namespace {

constexpr double kTwoTo63 = 9223372036854775808.0;
constexpr double kFractionScale = 4503599627370496.0;  // 2^52
constexpr int kExponentBias = -kMinDecimalExponent;

constexpr std::uint8_t byte_of(KeyClass key_class) { return static_cast<std::uint8_t>(key_class); }

// A magnitude cut into what the key stores. Decimals that equal no double keep their digits in
// `decimal`.
struct Magnitude {
  enum class Kind : std::uint8_t { kZero, kSmall, kWhole, kHuge };

  Kind kind = Kind::kZero;
  std::uint64_t whole = 0;  // kWhole: integer part, below 2^63
  std::uint64_t fraction =
      0;  // kWhole: the first 52 bits behind the point; else the bits of a double
  bool has_fraction = false;  // kWhole
  bool decimal_follows = false;
  DecimalParts decimal;
};

Magnitude magnitude_of(double value) {
  Magnitude out;
  if (value == 0.0) return out;
  if (value >= kTwoTo63 || value < 1.0) {
    out.kind = value < 1.0 ? Magnitude::Kind::kSmall : Magnitude::Kind::kHuge;
    out.fraction = std::bit_cast<std::uint64_t>(value);
    return out;
  }
  out.kind = Magnitude::Kind::kWhole;
  const double whole = std::trunc(value);
  out.whole = static_cast<std::uint64_t>(whole);
  out.fraction = static_cast<std::uint64_t>((value - whole) * kFractionScale);
  out.has_fraction = out.fraction != 0;
  return out;
}

Magnitude magnitude_of(std::uint64_t value) {
  Magnitude out;
  if (value == 0) return out;
  if (value >> 63U != 0) return magnitude_of(static_cast<double>(value));  // 2^63 alone
  out.kind = Magnitude::Kind::kWhole;
  out.whole = value;
  return out;
}

// Cuts coefficient / 10^digits, at least 1 and below 2^63, into whole part and binary fraction.
Magnitude magnitude_with_fraction(const DecimalParts& parts) {
  Magnitude out;
  out.kind = Magnitude::Kind::kWhole;
  const Uint128 unit = power_of_ten(-parts.exponent);
  out.whole = static_cast<std::uint64_t>(parts.coefficient / unit);
  Uint128 rest = parts.coefficient % unit;
  for (unsigned i = 0; i < kFractionBits; ++i) {
    rest *= 2;
    out.fraction <<= 1U;
    if (rest >= unit) {
      rest -= unit;
      out.fraction |= 1U;
    }
  }
  out.has_fraction = out.fraction != 0 || rest != 0;
  out.decimal_follows = rest != 0;
  out.decimal = parts;
  return out;
}

// `value` is a finite positive decimal that is no whole number below 2^63.
Magnitude magnitude_of_fraction(Decimal128 value) {
  const DecimalParts parts = split(value);
  const double below = decimal_to_double_truncated(value);
  if (below >= 1.0 && below < kTwoTo63) return magnitude_with_fraction(parts);
  Magnitude out;
  out.kind = below < 1.0 ? Magnitude::Kind::kSmall : Magnitude::Kind::kHuge;
  out.fraction = std::bit_cast<std::uint64_t>(below);
  out.decimal_follows = decimal_compare_double(value, below) != 0;
  out.decimal = parts;
  return out;
}

Magnitude magnitude_of(Decimal128 absolute) {
  if (decimal_is_infinite(absolute)) return magnitude_of(HUGE_VAL);
  if (const auto whole = decimal_to_int64_exact(absolute)) {
    return magnitude_of(static_cast<std::uint64_t>(*whole));
  }
  return magnitude_of_fraction(absolute);
}

void append_decimal(std::string& out, const DecimalParts& parts) {
  const int digits = digit_count(parts.coefficient);
  const int adjusted = parts.exponent + digits - 1;
  append_big_endian(out, static_cast<std::uint64_t>(adjusted + kExponentBias),
                    kDecimalExponentBytes);
  const Uint128 filled = parts.coefficient * power_of_ten(kDecimalDigits - digits);
  append_big_endian(out, static_cast<std::uint64_t>(filled >> 64U), kDecimalCoefficientBytes - 8);
  append_big_endian(out, static_cast<std::uint64_t>(filled), 8);
}

// The class byte of a magnitude, mirrored around zero for negative numbers.
std::uint8_t class_of(const Magnitude& magnitude, unsigned whole_bytes, bool negative) {
  std::uint8_t above = byte_of(KeyClass::kZero);
  switch (magnitude.kind) {
    case Magnitude::Kind::kZero:
      return above;
    case Magnitude::Kind::kSmall:
      above = byte_of(KeyClass::kSmallPositive);
      break;
    case Magnitude::Kind::kWhole:
      above = static_cast<std::uint8_t>(byte_of(KeyClass::kPositive1) + whole_bytes - 1);
      break;
    case Magnitude::Kind::kHuge:
      above = byte_of(KeyClass::kHugePositive);
      break;
  }
  return negative ? static_cast<std::uint8_t>(2 * byte_of(KeyClass::kZero) - above) : above;
}

void append_magnitude(std::string& out, const Magnitude& magnitude, bool negative) {
  const std::uint64_t shifted = magnitude.whole << 1U | (magnitude.has_fraction ? 1U : 0U);
  const auto whole_bytes = static_cast<unsigned>((std::bit_width(shifted) + 7) / 8);
  out.push_back(static_cast<char>(class_of(magnitude, whole_bytes, negative)));
  const std::size_t start = out.size();
  const std::uint64_t follows = magnitude.decimal_follows ? kDecimalFollows : kExactFraction;
  if (magnitude.kind == Magnitude::Kind::kWhole) {
    append_big_endian(out, shifted, whole_bytes);
    if (magnitude.has_fraction) {
      append_big_endian(out, magnitude.fraction << 4U | follows, kFractionBytes);
    }
  } else if (magnitude.kind != Magnitude::Kind::kZero) {
    append_big_endian(out, magnitude.fraction << 1U | follows, 8);
  }
  if (magnitude.decimal_follows) append_decimal(out, magnitude.decimal);
  if (negative) {
    for (std::size_t i = start; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
  }
}

// What a number key says: a whole number, a double, or a decimal equal to neither.
struct DecodedMagnitude {
  enum class Kind : std::uint8_t { kWhole, kDouble, kDecimal };

  Kind kind = Kind::kWhole;
  std::uint64_t whole = 0;
  double real = 0;
  Decimal128 decimal;
};

Result<Decimal128> read_decimal(KeyReader& key) {
  RESTITCH_TRY(const std::uint64_t biased, key.big_endian(kDecimalExponentBytes));
  RESTITCH_TRY(const std::uint64_t high, key.big_endian(kDecimalCoefficientBytes - 8));
  RESTITCH_TRY(const std::uint64_t low, key.big_endian(8));
  DecimalParts parts;
  parts.coefficient = static_cast<Uint128>(high) << 64U | low;
  parts.exponent = static_cast<int>(biased) - kExponentBias - (kDecimalDigits - 1);
  if (parts.coefficient < power_of_ten(kDecimalDigits - 1) ||
      parts.coefficient >= power_of_ten(kDecimalDigits)) {
    return corrupt_key("a decimal is not normalised");
  }
  while (parts.coefficient % 10 == 0) {
    parts.coefficient /= 10;
    ++parts.exponent;
  }
  while (parts.exponent > kMaxDecimalExponent && digit_count(parts.coefficient) < kDecimalDigits) {
    parts.coefficient *= 10;
    --parts.exponent;
  }
  if (parts.exponent < kMinDecimalExponent || parts.exponent > kMaxDecimalExponent) {
    return corrupt_key("a decimal is out of range");
  }
  return join(parts);
}

Result<DecodedMagnitude> read_decimal_magnitude(KeyReader& key) {
  RESTITCH_TRY(const Decimal128 decimal, read_decimal(key));
  DecodedMagnitude out;
  out.kind = DecodedMagnitude::Kind::kDecimal;
  out.decimal = decimal;
  return out;
}

DecodedMagnitude double_magnitude(double value) {
  DecodedMagnitude out;
  out.kind = DecodedMagnitude::Kind::kDouble;
  out.real = value;
  return out;
}

Result<DecodedMagnitude> read_whole(KeyReader& key, unsigned bytes) {
  RESTITCH_TRY(const std::uint64_t shifted, key.big_endian(bytes));
  DecodedMagnitude out;
  out.whole = shifted >> 1U;
  if ((shifted & 1U) == 0) return out;
  RESTITCH_TRY(const std::uint64_t fraction, key.big_endian(kFractionBytes));
  if ((fraction & 0xFU) == kDecimalFollows) return read_decimal_magnitude(key);
  if ((fraction & 0xFU) != kExactFraction) return corrupt_key("bad fraction");
  return double_magnitude(static_cast<double>(out.whole) +
                          static_cast<double>(fraction >> 4U) / kFractionScale);
}

Result<DecodedMagnitude> read_double(KeyReader& key) {
  RESTITCH_TRY(const std::uint64_t bits, key.big_endian(8));
  if ((bits & 1U) == kDecimalFollows) return read_decimal_magnitude(key);
  const auto value = std::bit_cast<double>(bits >> 1U);
  if (std::isnan(value)) return corrupt_key("bad double");
  return double_magnitude(value);
}

bool is_whole_class(std::uint8_t mirrored) {
  return mirrored >= byte_of(KeyClass::kPositive1) && mirrored <= byte_of(KeyClass::kPositive8);
}

Result<DecodedMagnitude> read_magnitude(std::uint8_t mirrored, KeyReader& key) {
  if (mirrored == byte_of(KeyClass::kZero)) return DecodedMagnitude{};
  if (is_whole_class(mirrored)) {
    return read_whole(key, static_cast<unsigned>(mirrored - byte_of(KeyClass::kPositive1) + 1));
  }
  return read_double(key);
}

double to_double(const DecodedMagnitude& magnitude) {
  switch (magnitude.kind) {
    case DecodedMagnitude::Kind::kWhole:
      return static_cast<double>(magnitude.whole);
    case DecodedMagnitude::Kind::kDouble:
      return magnitude.real;
    case DecodedMagnitude::Kind::kDecimal:
      return decimal_to_double(magnitude.decimal);
  }
  return 0;
}

Decimal128 to_decimal(const DecodedMagnitude& magnitude) {
  switch (magnitude.kind) {
    case DecodedMagnitude::Kind::kWhole:
      return decimal_from_int64(static_cast<std::int64_t>(magnitude.whole));
    case DecodedMagnitude::Kind::kDouble:
      return decimal_from_double_exact(magnitude.real);
    case DecodedMagnitude::Kind::kDecimal:
      return magnitude.decimal;
  }
  return {};
}

// The same value with the given exponent, or nothing if it cannot be written so.
std::optional<Decimal128> with_exponent(Decimal128 value, int exponent) {
  DecimalParts parts = split(value);
  if (parts.kind != DecimalParts::Kind::kFinite || parts.coefficient == 0) return std::nullopt;
  while (parts.exponent > exponent) {
    if (digit_count(parts.coefficient) >= kDecimalDigits) return std::nullopt;
    parts.coefficient *= 10;
    --parts.exponent;
  }
  while (parts.exponent < exponent) {
    if (parts.coefficient % 10 != 0) return std::nullopt;
    parts.coefficient /= 10;
    ++parts.exponent;
  }
  return join(parts);
}

Result<Value> decimal_value(const DecodedMagnitude& magnitude, bool negative,
                            KeyReader& type_bits) {
  const int high = type_bits.byte_or_zero();
  const int exponent = (high << 8 | type_bits.byte_or_zero()) - kExponentBias;
  if (exponent > kMaxDecimalExponent) return corrupt_key("bad type bits");
  const auto decimal = with_exponent(to_decimal(magnitude), exponent);
  if (!decimal) return corrupt_key("type bits do not belong to the key");
  return Value::of(negative ? decimal_negate(*decimal) : *decimal);
}

Result<Value> integer_value(const DecodedMagnitude& magnitude, bool negative, bool wide) {
  std::uint64_t whole = magnitude.whole;
  if (magnitude.kind == DecodedMagnitude::Kind::kDouble && magnitude.real == kTwoTo63 && negative) {
    whole = 1ULL << 63U;
  } else if (magnitude.kind != DecodedMagnitude::Kind::kWhole) {
    return corrupt_key("type bits do not belong to the key");
  }
  const auto number = static_cast<std::int64_t>(negative ? 0 - whole : whole);
  if (wide) return Value::of(number);
  const auto narrow = static_cast<std::int32_t>(number);
  if (narrow != number) return corrupt_key("type bits do not belong to the key");
  return Value::of(narrow);
}

Value raw_value(TypeBits kind, KeyReader& type_bits) {
  const bool is_double = kind == TypeBits::kRawDouble;
  std::string bytes(is_double ? 8 : 16, '\0');
  for (char& byte : bytes) byte = static_cast<char>(type_bits.byte_or_zero());
  return Value(is_double ? Type::kDouble : Type::kDecimal128, std::move(bytes));
}

void append_decimal_type_bits(std::string& out, Decimal128 value) {
  const DecimalParts parts = split(value);
  if (parts.kind != DecimalParts::Kind::kFinite || parts.coefficient == 0) {
    out.push_back(static_cast<char>(TypeBits::kRawDecimal));
    out.append(reinterpret_cast<const char*>(&value.low), 8);
    out.append(reinterpret_cast<const char*>(&value.high), 8);
    return;
  }
  out.push_back(static_cast<char>(TypeBits::kDecimal));
  append_big_endian(out, static_cast<std::uint64_t>(parts.exponent + kExponentBias), 2);
}

void append_double_type_bits(std::string& out, double value) {
  if (std::isnan(value)) {
    out.push_back(static_cast<char>(TypeBits::kRawDouble));
    out.append(reinterpret_cast<const char*>(&value), 8);
    return;
  }
  const bool is_negative_zero = value == 0.0 && std::signbit(value);
  out.push_back(static_cast<char>(is_negative_zero ? TypeBits::kNegativeZero : TypeBits::kDouble));
}

std::uint8_t mirror(std::uint8_t class_byte, bool negative) {
  return negative ? static_cast<std::uint8_t>(2 * byte_of(KeyClass::kZero) - class_byte)
                  : class_byte;
}

}  // namespace

bool is_number_class(std::uint8_t class_byte) {
  return class_byte >= byte_of(KeyClass::kNan) && class_byte <= byte_of(KeyClass::kHugePositive);
}

void append_number_key(std::string& out, ValueView value) {
  switch (value.type()) {
    case Type::kInt32:
    case Type::kInt64: {
      const std::int64_t number =
          value.type() == Type::kInt32 ? value.get_int32() : value.get_int64();
      const auto bits = static_cast<std::uint64_t>(number);
      return append_magnitude(out, magnitude_of(number < 0 ? 0 - bits : bits), number < 0);
    }
    case Type::kDouble: {
      const double number = value.get_double();
      if (std::isnan(number)) break;
      return append_magnitude(out, magnitude_of(std::fabs(number)), number < 0);
    }
    case Type::kDecimal128: {
      const Decimal128 number = value.get_decimal128();
      if (decimal_is_nan(number)) break;
      return append_magnitude(out, magnitude_of(decimal_absolute(number)),
                              decimal_is_negative(number));
    }
    default:
      break;
  }
  out.push_back(static_cast<char>(KeyClass::kNan));
}

void append_number_type_bits(std::string& out, ValueView value) {
  switch (value.type()) {
    case Type::kInt64:
      out.push_back(static_cast<char>(TypeBits::kInt64));
      return;
    case Type::kDouble:
      return append_double_type_bits(out, value.get_double());
    case Type::kDecimal128:
      return append_decimal_type_bits(out, value.get_decimal128());
    default:
      out.push_back(static_cast<char>(TypeBits::kDefault));
  }
}

Result<Value> decode_number_key(std::uint8_t class_byte, KeyReader& key, KeyReader& type_bits) {
  const bool negative = class_byte < byte_of(KeyClass::kZero);
  DecodedMagnitude magnitude;
  const bool is_nan = class_byte == byte_of(KeyClass::kNan);
  if (!is_nan) {
    if (negative) key.invert();
    RESTITCH_TRY(magnitude, read_magnitude(mirror(class_byte, negative), key));
    if (negative) key.invert();
  }
  const auto kind = static_cast<TypeBits>(type_bits.byte_or_zero());
  if (kind == TypeBits::kRawDouble || kind == TypeBits::kRawDecimal) {
    return raw_value(kind, type_bits);
  }
  if (is_nan) return corrupt_key("type bits do not belong to the key");
  switch (kind) {
    case TypeBits::kDefault:
      return integer_value(magnitude, negative, false);
    case TypeBits::kInt64:
      return integer_value(magnitude, negative, true);
    case TypeBits::kDouble:
      return Value::of(negative ? -to_double(magnitude) : to_double(magnitude));
    case TypeBits::kNegativeZero:
      return Value::of(-0.0);
    case TypeBits::kDecimal:
      return decimal_value(magnitude, negative, type_bits);
    default:
      return corrupt_key("bad type bits");
  }
}

Status skip_number_key(std::uint8_t class_byte, KeyReader& key) {
  if (class_byte == byte_of(KeyClass::kNan)) return {};
  const bool negative = class_byte < byte_of(KeyClass::kZero);
  const std::uint8_t mirrored = mirror(class_byte, negative);
  if (mirrored == byte_of(KeyClass::kZero)) return {};
  if (negative) key.invert();
  bool decimal_follows = false;
  if (is_whole_class(mirrored)) {
    const auto bytes = static_cast<unsigned>(mirrored - byte_of(KeyClass::kPositive1) + 1);
    RESTITCH_TRY(const std::uint64_t shifted, key.big_endian(bytes));
    if ((shifted & 1U) != 0) {
      RESTITCH_TRY(const std::uint64_t fraction, key.big_endian(kFractionBytes));
      decimal_follows = (fraction & 0xFU) == kDecimalFollows;
    }
  } else {
    RESTITCH_TRY(const std::uint64_t bits, key.big_endian(8));
    decimal_follows = (bits & 1U) == kDecimalFollows;
  }
  if (negative) key.invert();
  return decimal_follows ? key.skip(kDecimalExponentBytes + kDecimalCoefficientBytes) : Status{};
}

}  // namespace restitch::bson
