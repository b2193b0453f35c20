#include <cmath>
#include <limits>

#include "bson/decimal.h"
#include "bson/decimal_parts.h"
#include "bson/value_generator.h"

namespace restitch::bson {
namespace {

Value code_with_scope(std::string_view code, const Document& scope) {
  std::string bytes;
  const auto put = [&bytes](std::size_t value) {
    const auto word = static_cast<std::uint32_t>(value);
    bytes.append(reinterpret_cast<const char*>(&word), 4);
  };
  put(4 + 4 + code.size() + 1 + scope.bytes().size());
  put(code.size() + 1);
  bytes.append(code).push_back('\0');
  bytes.append(scope.bytes());
  return Value(Type::kCodeWithScope, bytes);
}

Value db_pointer(std::string_view name, char id) {
  std::string bytes(Value::of(name).view().raw());
  bytes.append(12, id);
  return Value(Type::kDbPointer, bytes);
}

std::string without_nul(std::string text) {
  std::erase(text, '\0');
  return text;
}

}  // namespace

std::int64_t ValueGenerator::integer() {
  const auto small = static_cast<std::int64_t>(below(7)) - 3;
  if (below(3) == 0) return small;
  const auto power = static_cast<std::int64_t>(1ULL << below(64));
  const auto edge = static_cast<std::int64_t>(static_cast<std::uint64_t>(power) +
                                              static_cast<std::uint64_t>(small));
  return below(2) == 0 ? edge : static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(edge));
}

double ValueGenerator::real() {
  constexpr double kSpecial[] = {0.0,
                                 -0.0,
                                 0.1,
                                 0.5,
                                 -0.5,
                                 1.5,
                                 1e-300,
                                 1e300,
                                 9223372036854775808.0,
                                 -9223372036854775808.0,
                                 std::numeric_limits<double>::denorm_min(),
                                 std::numeric_limits<double>::max(),
                                 std::numeric_limits<double>::lowest(),
                                 std::numeric_limits<double>::infinity(),
                                 -std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()};
  double value = 0;
  switch (below(4)) {
    case 0:
      value = kSpecial[below(std::size(kSpecial))];
      break;
    case 1:
      value = static_cast<double>(integer());
      break;
    case 2:
      value = static_cast<double>(static_cast<std::int64_t>(below(2001)) - 1000) / 64;
      break;
    default:
      value = std::bit_cast<double>(random_());
  }
  return below(4) == 0 ? std::nextafter(value, below(2) == 0 ? -1e308 : 1e308) : value;
}

Decimal128 ValueGenerator::decimal() {
  switch (below(5)) {
    case 0:
      return decimal_from_int64(integer());
    case 1:
      return decimal_from_double(real());
    case 2:
      return decimal_from_double_exact(real());
    case 3: {
      DecimalParts parts;
      parts.negative = below(2) == 0;
      const std::uint64_t digits = below(35);
      for (std::uint64_t i = 0; i < digits; ++i) {
        parts.coefficient = parts.coefficient * 10 + below(below(2) == 0 ? 2 : 10);
      }
      const auto range = static_cast<int>(below(3) == 0 ? 12287 : 60);
      parts.exponent = range == 60 ? static_cast<int>(below(60)) - 40
                                   : static_cast<int>(below(12288)) + kMinDecimalExponent;
      return join(parts);
    }
    default: {
      // A hair beside a double, or another way of writing the same value.
      DecimalParts parts = split(decimal_from_double_exact(real()));
      if (parts.kind != DecimalParts::Kind::kFinite) return {0, 0x7C00000000000001ULL};
      if (below(2) == 0 && parts.coefficient != 0 &&
          parts.coefficient + 1 < power_of_ten(kDecimalDigits)) {
        ++parts.coefficient;
      } else if (parts.coefficient < power_of_ten(kDecimalDigits - 1) &&
                 parts.exponent > kMinDecimalExponent) {
        parts.coefficient *= 10;
        --parts.exponent;
      }
      return join(parts);
    }
  }
}

Value ValueGenerator::number() {
  switch (below(4)) {
    case 0:
      return Value::of(static_cast<std::int32_t>(integer()));
    case 1:
      return Value::of(integer());
    case 2:
      return Value::of(real());
    default:
      return Value::of(decimal());
  }
}

std::string ValueGenerator::text() {
  constexpr std::string_view kAlphabet("\0\1\2ab~\xC3\xA9", 8);
  std::string out;
  for (std::uint64_t i = below(5); i > 0; --i) {
    const std::uint64_t index = below(7);
    out.append(kAlphabet.substr(index, index == 6 ? 2 : 1));
  }
  return out;
}

Document ValueGenerator::object(int max_depth) {
  Builder builder;
  for (std::uint64_t i = below(4); i > 0; --i) {
    const std::string name = without_nul(text()) + std::to_string(i);  // unique
    if (below(8) == 0) {
      builder.append(name, Value::undefined());
    } else {
      builder.append(name, value(max_depth));
    }
  }
  return std::move(builder).finish();
}

Document ValueGenerator::array(int max_depth) {
  Builder builder;
  std::uint32_t index = 0;
  for (std::uint64_t i = below(4); i > 0; --i) {
    const Value element = value(max_depth);
    if (!element.is_missing()) builder.append(std::to_string(index++), element);
  }
  return std::move(builder).finish();
}

Value ValueGenerator::simple(std::uint64_t kind) {
  switch (kind) {
    case 0:
      return Value::null();
    case 1:
      return Value();
    case 2:
      return Value::undefined();
    case 3:
      return below(2) == 0 ? Value::min_key() : Value::max_key();
    case 4:
      return Value::of(below(2) == 0);
    case 5:
      return Value::of(Date{integer()});
    case 6:
      return Value::of(
          Timestamp{static_cast<std::uint32_t>(integer()), static_cast<std::uint32_t>(integer())});
    case 7: {
      ObjectId id;
      id.bytes[below(12)] = static_cast<std::uint8_t>(below(256));
      return Value::of(id);
    }
    case 8:
      return Value::binary(static_cast<std::uint8_t>(below(3) * 64),
                           below(6) == 0 ? std::string(250 + below(10), 'x') : text());
    case 9:
      return Value::regex(without_nul(text()), below(2) == 0 ? "i" : "");
    case 10:
      return Value::string_like(below(3) == 0 ? Type::kSymbol : Type::kString, text());
    case 11:
      return Value::string_like(Type::kCode, text());
    default:
      return db_pointer(text(), static_cast<char>(below(3)));
  }
}

Value ValueGenerator::value(int max_depth) {
  const std::uint64_t choice = below(28);
  if (choice < 8) return number();
  if (choice < 11) return Value::of(text());
  if (choice < 24) return simple(choice - 11);
  if (max_depth == 0) return number();
  if (choice == 24) return code_with_scope(text(), object(max_depth - 1));
  return choice < 27 ? Value::of(object(max_depth - 1)) : Value::array(array(max_depth - 1));
}

}  // namespace restitch::bson
