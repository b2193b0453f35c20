// Operands of $type, $mod, $size and the $bits… operators.

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "bson/decimal.h"
#include "bson/extended_json.h"
#include "query/element_text.h"
#include "query/filter/parser.h"

namespace restitch::query {
namespace {

// A number as text without a fraction when it is whole.
std::string plain_number(bson::ValueView value) {
  if (const auto integer = value.as_integer()) return std::to_string(*integer);
  if (value.type() != bson::Type::kDouble) return bson::to_shell(value);
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value.get_double());
  return {buffer, end.ptr};
}

Status read_one_type(bson::ValueView value, FilterNode& node) {
  bson::Type type;
  if (const auto alias = value.as_string()) {
    if (*alias == "number") {
      node.any_number = true;
      return {};
    }
    const auto known = bson::type_from_alias(*alias);
    if (!known) return mongo_error(2, "Unknown type name alias: " + std::string(*alias));
    type = *known;
  } else if (value.is_number()) {
    const auto code = value.as_integer();
    const bool known = code && (*code == -1 || *code == 127 || (*code >= 1 && *code <= 19));
    if (!known) {
      std::string text = "Invalid numerical type code: " + plain_number(value);
      if (code == 0) text += ". Instead use {$exists:false}.";
      return mongo_error(2, std::move(text));
    }
    type = static_cast<bson::Type>(static_cast<std::uint8_t>(*code));
  } else {
    return mongo_error(14, "type must be represented as a number or a string");
  }
  node.types.push_back(type);
  return {};
}

struct Truncated {
  std::int64_t value = 0;
  const char* problem = nullptr;
};

// The number truncated toward zero.
Truncated truncate(bson::ValueView number) {
  constexpr const char* kNotFinite = "Unable to coerce NaN/Inf to integral type";
  constexpr const char* kOutOfBounds = "Out of bounds coercing to integral value";
  switch (number.type()) {
    case bson::Type::kInt32:
      return {number.get_int32()};
    case bson::Type::kInt64:
      return {number.get_int64()};
    case bson::Type::kDouble: {
      const double value = number.get_double();
      if (!std::isfinite(value)) return {0, kNotFinite};
      if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0)) {
        return {0, kOutOfBounds};
      }
      return {static_cast<std::int64_t>(value)};
    }
    default: {
      const bson::Decimal128 value = number.get_decimal128();
      if (bson::decimal_is_nan(value) || bson::decimal_is_infinite(value)) return {0, kNotFinite};
      const auto integer = bson::decimal_to_int64_truncated(value);
      return integer ? Truncated{*integer} : Truncated{0, kOutOfBounds};
    }
  }
}

Result<std::int64_t> read_mod_number(bson::ValueView value, std::string_view what) {
  if (!value.is_number()) {
    return mongo_error(2, "malformed mod, " + std::string(what) + " not a number");
  }
  const Truncated truncated = truncate(value);
  if (truncated.problem != nullptr) {
    return mongo_error(2, "malformed mod, " + std::string(what) +
                              " value is invalid :: caused by :: " + truncated.problem);
  }
  return truncated.value;
}

// A whole number >= 0, or MongoDB's reason why not (appended to by the caller).
Result<std::int64_t> read_non_negative(const bson::Element& element, int code) {
  const std::string text = element_text(element);
  if (!element.value.is_number()) return mongo_error(code, "Expected a number in: " + text);
  const Truncated truncated = truncate(element.value);
  if (truncated.problem != nullptr) {
    const bool is_nan = element.value.type() == bson::Type::kDouble
                            ? std::isnan(element.value.get_double())
                            : bson::decimal_is_nan(element.value.get_decimal128());
    return mongo_error(code, (is_nan ? "Expected an integer, but found NaN in: "
                                     : "Cannot represent as a 64-bit integer: ") +
                                 text);
  }
  const auto integer = element.value.as_integer();
  if (!integer) return mongo_error(code, "Expected an integer: " + text);
  if (*integer < 0) return mongo_error(code, "Expected a non-negative number in: " + text);
  return *integer;
}

void add_mask(std::uint64_t mask, std::vector<std::uint32_t>& positions) {
  for (std::uint32_t bit = 0; bit < 64; ++bit) {
    if ((mask >> bit & 1U) != 0) positions.push_back(bit);
  }
}

void add_binary_mask(std::string_view bytes, std::vector<std::uint32_t>& positions) {
  for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
    const auto bits = static_cast<unsigned char>(bytes[byte]);
    for (std::uint32_t bit = 0; bit < 8; ++bit) {
      if ((bits >> bit & 1U) != 0) positions.push_back(static_cast<std::uint32_t>(byte * 8) + bit);
    }
  }
}

Status add_bit_positions(bson::View array, std::vector<std::uint32_t>& positions) {
  for (const bson::Element& item : array) {
    auto position = read_non_negative(item, 2);
    if (!position) {
      return mongo_error(2, "Failed to parse bit position. " + position.error().message());
    }
    if (*position > std::numeric_limits<std::int32_t>::max()) {
      return mongo_error(2, "Failed to parse bit position. Cannot represent as a 32-bit integer: " +
                                element_text(item));
    }
    positions.push_back(static_cast<std::uint32_t>(*position));
  }
  return {};
}

}  // namespace

Status read_type_operand(std::string_view path, bson::ValueView value, FilterNode& node) {
  const auto list = value.as_array();
  if (!list) return read_one_type(value, node);
  if (list->empty()) {
    return mongo_error(9, std::string(path) + " must match at least one type");
  }
  for (const bson::Element& item : *list) RESTITCH_CHECK(read_one_type(item.value, node));
  return {};
}

Status read_mod_operand(bson::ValueView value, FilterNode& node) {
  const auto array = value.as_array();
  if (!array) return mongo_error(2, "malformed mod, needs to be an array");
  const std::size_t count = array->count();
  if (count < 2) return mongo_error(2, "malformed mod, not enough elements");
  if (count > 2) return mongo_error(2, "malformed mod, too many elements");
  auto item = array->begin();
  RESTITCH_TRY(node.divisor, read_mod_number(item->value, "divisor"));
  ++item;
  RESTITCH_TRY(node.remainder, read_mod_number(item->value, "remainder"));
  if (node.divisor == 0) return mongo_error(2, "divisor cannot be 0");
  return {};
}

Status read_size_operand(const bson::Element& element, FilterNode& node) {
  auto size = read_non_negative(element, 2);
  if (!size) return mongo_error(2, "Failed to parse $size. " + size.error().message());
  node.remainder = *size;
  return {};
}

Status read_bits_operand(std::string_view path, const bson::Element& element, FilterNode& node) {
  if (element.name == "$bitsAllClear") node.bit_test = BitTest::kAllClear;
  if (element.name == "$bitsAnySet") node.bit_test = BitTest::kAnySet;
  if (element.name == "$bitsAnyClear") node.bit_test = BitTest::kAnyClear;
  const bson::ValueView value = element.value;
  if (value.is_number()) {
    RESTITCH_TRY(const std::int64_t mask, read_non_negative(element, 9));
    add_mask(static_cast<std::uint64_t>(mask), node.bit_positions);
  } else if (value.type() == bson::Type::kBinary) {
    add_binary_mask(value.get_binary().bytes, node.bit_positions);
  } else if (const auto array = value.as_array()) {
    RESTITCH_CHECK(add_bit_positions(*array, node.bit_positions));
  } else {
    return mongo_error(
        2, std::string(path) +
               " takes an Array, a number, or a BinData but received: " + element_text(element));
  }
  std::sort(node.bit_positions.begin(), node.bit_positions.end());
  return {};
}

}  // namespace restitch::query
