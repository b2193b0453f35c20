#include "bson/compare.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "bson/decimal.h"
#include "bson/decimal_parts.h"
#include "bson/scoped_code.h"

namespace restitch::bson {
namespace {

template <typename T>
int three_way(const T& a, const T& b) {
  return static_cast<int>(b < a) - static_cast<int>(a < b);
}

int compare_bytes(std::string_view a, std::string_view b) {
  const std::size_t shorter = std::min(a.size(), b.size());
  const int order = shorter == 0 ? 0 : std::memcmp(a.data(), b.data(), shorter);
  return order != 0 ? order : three_way(a.size(), b.size());
}

int compare_doubles(double a, double b) {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a == b) return 0;
  return static_cast<int>(std::isnan(b)) - static_cast<int>(std::isnan(a));
}

// Exact: the integer never passes through a double.
int compare_int64_double(std::int64_t a, double b) {
  if (std::isnan(b)) return 1;
  if (b >= 9223372036854775808.0) return -1;
  if (b < -9223372036854775808.0) return 1;
  const auto whole = static_cast<std::int64_t>(b);
  if (a != whole) return a < whole ? -1 : 1;
  return compare_doubles(0.0, b - static_cast<double>(whole));
}

bool is_integer(Type type) { return type == Type::kInt32 || type == Type::kInt64; }

std::int64_t integer_of(ValueView value) {
  return value.type() == Type::kInt32 ? value.get_int32() : value.get_int64();
}

int compare_decimal(Decimal128 a, ValueView b) {
  if (b.type() == Type::kDecimal128) return decimal_compare(a, b.get_decimal128());
  if (b.type() == Type::kDouble) return decimal_compare_double(a, b.get_double());
  return decimal_compare_int64(a, integer_of(b));
}

int compare_numbers(ValueView a, ValueView b) {
  if (a.type() == Type::kDecimal128) return compare_decimal(a.get_decimal128(), b);
  if (b.type() == Type::kDecimal128) return -compare_decimal(b.get_decimal128(), a);
  if (is_integer(a.type())) {
    const std::int64_t integer = integer_of(a);
    return is_integer(b.type()) ? three_way(integer, integer_of(b))
                                : compare_int64_double(integer, b.get_double());
  }
  return is_integer(b.type()) ? -compare_int64_double(integer_of(b), a.get_double())
                              : compare_doubles(a.get_double(), b.get_double());
}

int compare_binaries(BinaryView a, BinaryView b) {
  if (a.bytes.size() != b.bytes.size()) return three_way(a.bytes.size(), b.bytes.size());
  if (a.subtype != b.subtype) return three_way(a.subtype, b.subtype);
  return compare_bytes(a.bytes, b.bytes);
}

int compare_regexes(RegexView a, RegexView b) {
  const int order = compare_bytes(a.pattern, b.pattern);
  return order != 0 ? order : compare_bytes(a.options, b.options);
}

// By length, then by bytes: the namespace in front of the id.
int compare_db_pointers(std::string_view a, std::string_view b) {
  return a.size() != b.size() ? three_way(a.size(), b.size()) : compare_bytes(a, b);
}

int compare_arrays(View a, View b) {
  auto left = a.begin();
  auto right = b.begin();
  const auto left_end = a.end();
  const auto right_end = b.end();
  for (; left != left_end && right != right_end; ++left, ++right) {
    if (const int order = compare(left->value, right->value); order != 0) return order;
  }
  return static_cast<int>(left != left_end) - static_cast<int>(right != right_end);
}

int compare_scoped_codes(ScopedCode a, ScopedCode b) {
  const int order = compare_bytes(a.code, b.code);
  return order != 0 ? order : compare(a.scope, b.scope);
}

// Both of one canonical class.
int compare_alike(ValueView a, ValueView b) {
  switch (a.type()) {
    case Type::kDouble:
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDecimal128:
      return compare_numbers(a, b);
    case Type::kString:
    case Type::kSymbol:
    case Type::kCode:
      return compare_bytes(a.get_string(), b.get_string());
    case Type::kObject:
      return compare(a.get_document(), b.get_document());
    case Type::kArray:
      return compare_arrays(a.get_document(), b.get_document());
    case Type::kBinary:
      return compare_binaries(a.get_binary(), b.get_binary());
    case Type::kObjectId:
      return compare_bytes(a.raw(), b.raw());
    case Type::kBool:
      return three_way(a.get_bool(), b.get_bool());
    case Type::kDate:
      return three_way(a.get_date().millis, b.get_date().millis);
    case Type::kTimestamp:
      return three_way(a.get_timestamp(), b.get_timestamp());
    case Type::kRegex:
      return compare_regexes(a.get_regex(), b.get_regex());
    case Type::kDbPointer:
      return compare_db_pointers(a.raw(), b.raw());
    case Type::kCodeWithScope:
      return compare_scoped_codes(scoped_code(a), scoped_code(b));
    case Type::kMissing:
    case Type::kUndefined:
    case Type::kNull:
    case Type::kMinKey:
    case Type::kMaxKey:
      return 0;
  }
  return 0;
}

std::size_t mix(std::size_t seed, std::uint64_t value) {
  std::uint64_t x = value + 0x9E3779B97F4A7C15ULL + (seed << 6U) + (seed >> 2U);
  x ^= seed;
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31U);
}

std::size_t hash_bytes(std::size_t seed, std::string_view bytes) {
  return mix(seed, std::hash<std::string_view>{}(bytes));
}

constexpr std::uint64_t kNanHash = 0x7FF8000000000000ULL;

std::uint64_t number_bits(double value) {
  if (std::isnan(value)) return kNanHash;
  if (value >= -9223372036854775808.0 && value < 9223372036854775808.0) {
    const auto whole = static_cast<std::int64_t>(value);
    if (static_cast<double>(whole) == value) return static_cast<std::uint64_t>(whole);
  }
  return std::bit_cast<std::uint64_t>(value);
}

// Numbers equal across types give the same bits: integers as such, else doubles, else the reduced
// decimal.
std::uint64_t number_bits(Decimal128 value) {
  if (decimal_is_nan(value)) return kNanHash;
  if (const auto integer = decimal_to_int64_exact(value)) {
    return static_cast<std::uint64_t>(*integer);
  }
  const double nearest = decimal_to_double(value);
  if (decimal_compare_double(value, nearest) == 0) return number_bits(nearest);
  DecimalParts parts = split(value);
  while (parts.coefficient != 0 && parts.coefficient % 10 == 0) {
    parts.coefficient /= 10;
    ++parts.exponent;
  }
  const std::size_t high =
      mix(static_cast<std::size_t>(parts.exponent) * 2 + (parts.negative ? 1 : 0),
          static_cast<std::uint64_t>(parts.coefficient >> 64U));
  return mix(high, static_cast<std::uint64_t>(parts.coefficient));
}

std::size_t hash_elements(std::size_t seed, View view, bool with_names) {
  for (const Element& element : view) {
    if (with_names) seed = hash_bytes(seed, element.name);
    seed = mix(seed, hash(element.value));
  }
  return seed;
}

}  // namespace

int canonical_class(Type type) {
  switch (type) {
    case Type::kMinKey:
      return 0;
    case Type::kMissing:
    case Type::kUndefined:
      return 1;
    case Type::kNull:
      return 2;
    case Type::kDouble:
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDecimal128:
      return 3;
    case Type::kString:
    case Type::kSymbol:
      return 4;
    case Type::kObject:
      return 5;
    case Type::kArray:
      return 6;
    case Type::kBinary:
      return 7;
    case Type::kObjectId:
      return 8;
    case Type::kBool:
      return 9;
    case Type::kDate:
      return 10;
    case Type::kTimestamp:
      return 11;
    case Type::kRegex:
      return 12;
    case Type::kDbPointer:
      return 13;
    case Type::kCode:
      return 14;
    case Type::kCodeWithScope:
      return 15;
    case Type::kMaxKey:
      return 16;
  }
  return 1;
}

int compare(ValueView a, ValueView b, bool missing_is_null) {
  const Type a_type = a.is_missing() && missing_is_null ? Type::kNull : a.type();
  const Type b_type = b.is_missing() && missing_is_null ? Type::kNull : b.type();
  const int a_class = canonical_class(a_type);
  const int b_class = canonical_class(b_type);
  return a_class != b_class ? three_way(a_class, b_class) : compare_alike(a, b);
}

int compare(View a, View b) {
  auto left = a.begin();
  auto right = b.begin();
  const auto left_end = a.end();
  const auto right_end = b.end();
  for (; left != left_end && right != right_end; ++left, ++right) {
    const int left_class = canonical_class(left->value.type());
    const int right_class = canonical_class(right->value.type());
    if (left_class != right_class) return three_way(left_class, right_class);
    if (const int order = compare_bytes(left->name, right->name); order != 0) return order;
    if (const int order = compare_alike(left->value, right->value); order != 0) return order;
  }
  return static_cast<int>(left != left_end) - static_cast<int>(right != right_end);
}

std::size_t hash(ValueView value) {
  const auto seed = static_cast<std::size_t>(canonical_class(value.type()));
  switch (value.type()) {
    case Type::kDouble:
      return mix(seed, number_bits(value.get_double()));
    case Type::kInt32:
    case Type::kInt64:
      return mix(seed, static_cast<std::uint64_t>(integer_of(value)));
    case Type::kDecimal128:
      return mix(seed, number_bits(value.get_decimal128()));
    case Type::kString:
    case Type::kSymbol:
    case Type::kCode:
      return hash_bytes(seed, value.get_string());
    case Type::kObject:
      return hash_elements(seed, value.get_document(), true);
    case Type::kArray:
      return hash_elements(seed, value.get_document(), false);
    case Type::kBool:
      return mix(seed, value.get_bool() ? 1 : 0);
    case Type::kCodeWithScope: {
      const ScopedCode scoped = scoped_code(value);
      return hash_elements(hash_bytes(seed, scoped.code), scoped.scope, true);
    }
    default:
      return hash_bytes(seed, value.raw());
  }
}

}  // namespace restitch::bson
