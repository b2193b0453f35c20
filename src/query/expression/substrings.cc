#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/expression/operator.h"
#include "query/expression/text.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

// A start or length operand: any number, truncated.
std::int64_t truncated(ValueView number) {
  if (is_integer(number)) return integer_of(number);
  if (number.type() == Type::kDecimal128) {
    return bson::decimal_to_int64_truncated(number.get_decimal128()).value_or(-1);
  }
  constexpr double kLimit = 9223372036854775808.0;
  const double value = number.get_double();
  return value > -kLimit && value < kLimit ? static_cast<std::int64_t>(value) : -1;
}

Result<Value> substring_bytes(const Args& args) {
  RESTITCH_TRY(const std::string text, coerce_to_string(args[0]));
  const std::string name(args.name);
  for (std::size_t i = 1; i <= 2; ++i) {
    if (args[i].is_number()) continue;
    return mongo_error(i == 1 ? 16034 : 16035,
                       name + ":  " + (i == 1 ? "starting index" : "length") +
                           " must be a numeric type (is BSON type " + type_name(args[i]) + ")");
  }
  const std::int64_t start = truncated(args[1]);
  const std::int64_t length = truncated(args[2]);
  if (start < 0) {
    return mongo_error(50752, name + ":  starting index must be non-negative (got: " +
                                  std::to_string(start) + ")");
  }
  const auto from = static_cast<std::size_t>(start);
  if (from >= text.size()) return Value::of("");
  if (is_continuation(text[from])) {
    return mongo_error(28656,
                       name + ":  Invalid range, starting index is a UTF-8 continuation byte.");
  }
  // A negative length takes everything to the end.
  const std::size_t left = text.size() - from;
  const std::size_t count = length < 0 ? left : std::min(static_cast<std::size_t>(length), left);
  if (from + count < text.size() && is_continuation(text[from + count])) {
    return mongo_error(
        28657, name + ":  Invalid range, ending index is in the middle of a UTF-8 character.");
  }
  return Value::of(std::string_view(text).substr(from, count));
}

Result<Value> substring_code_points(const Args& args) {
  RESTITCH_TRY(const std::string text, coerce_to_string(args[0]));
  std::int64_t bounds[2] = {};
  for (std::size_t i = 1; i <= 2; ++i) {
    const std::string which = i == 1 ? "starting index" : "length";
    const int code = i == 1 ? 34450 : 34452;
    if (!args[i].is_number()) {
      return mongo_error(code, "$substrCP: " + which + " must be a numeric type (is BSON type " +
                                   type_name(args[i]) + ")");
    }
    const auto integer = as_int32(args[i]);
    if (!integer) {
      return mongo_error(code + 1, "$substrCP: " + which +
                                       " cannot be represented as a 32-bit "
                                       "integral value: " +
                                       bson::to_shell(args[i]));
    }
    bounds[i - 1] = *integer;
  }
  if (bounds[1] < 0) return mongo_error(34454, "$substrCP: length must be a nonnegative integer.");
  if (bounds[0] < 0) {
    return mongo_error(34455, "$substrCP: the starting index must be a non-negative integer.");
  }
  const std::size_t from = byte_offset(text, static_cast<std::size_t>(bounds[0]));
  const std::string_view rest = std::string_view(text).substr(from);
  return Value::of(rest.substr(0, byte_offset(rest, static_cast<std::size_t>(bounds[1]))));
}

Result<Value> length_in_bytes(const Args& args) {
  const auto text = args[0].as_string();
  if (!text) {
    return mongo_error(34473,
                       "$strLenBytes requires a string argument, found: " + type_name(args[0]));
  }
  return Value::of(static_cast<std::int32_t>(text->size()));
}

Result<Value> length_in_code_points(const Args& args) {
  const auto text = args[0].as_string();
  if (!text) {
    return mongo_error(34471, "$strLenCP requires a string argument, found: " + type_name(args[0]));
  }
  return Value::of(static_cast<std::int32_t>(code_point_count(*text)));
}

struct SearchOperands {
  std::string_view text;
  std::string_view token;
  std::int64_t start = 0;
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
};

// Nothing when the text is null or missing.
Result<std::optional<SearchOperands>> search_operands(const Args& args, int first_code) {
  const std::string name(args.name);
  if (args[0].is_nullish()) return std::optional<SearchOperands>();
  SearchOperands out;
  for (std::size_t i = 0; i < 2; ++i) {
    const auto text = args[i].as_string();
    if (!text) {
      return mongo_error(first_code + static_cast<int>(i),
                         name + " requires a string as the " + (i == 0 ? "first" : "second") +
                             " argument, found: " + type_name(args[i]));
    }
    (i == 0 ? out.text : out.token) = *text;
  }
  for (std::size_t i = 2; i < args.size(); ++i) {
    const std::string which = i == 2 ? "starting index" : "ending index";
    const auto integer = as_int32(args[i]);
    if (!integer) {
      return mongo_error(40096, name + " requires an integral " + which +
                                    ", found a value of type: " + type_name(args[i]) +
                                    ", with value: " + bson::to_shell(args[i]));
    }
    if (*integer < 0) {
      return mongo_error(40097, name + " requires a nonnegative " + which +
                                    ", found: " + std::to_string(*integer));
    }
    (i == 2 ? out.start : out.end) = *integer;
  }
  return std::optional(out);
}

constexpr std::int32_t kNotFound = -1;

Result<Value> index_in_bytes(const Args& args) {
  RESTITCH_TRY(const auto operands, search_operands(args, 40091));
  if (!operands) return Value::null();
  const auto size = static_cast<std::int64_t>(operands->text.size());
  const std::int64_t end = std::min(operands->end, size);
  if (operands->start > end) return Value::of(kNotFound);
  const std::size_t at = find_text(operands->text.substr(0, static_cast<std::size_t>(end)),
                                   operands->token, static_cast<std::size_t>(operands->start));
  return Value::of(at == std::string_view::npos ? kNotFound : static_cast<std::int32_t>(at));
}

Result<Value> index_in_code_points(const Args& args) {
  RESTITCH_TRY(const auto operands, search_operands(args, 40093));
  if (!operands) return Value::null();
  const auto size = static_cast<std::int64_t>(code_point_count(operands->text));
  const std::int64_t end = std::min(operands->end, size);
  if (operands->start > end) return Value::of(kNotFound);
  const std::string_view text =
      operands->text.substr(0, byte_offset(operands->text, static_cast<std::size_t>(end)));
  const std::size_t from = byte_offset(text, static_cast<std::size_t>(operands->start));
  const std::size_t at = find_text(text, operands->token, from);
  if (at == std::string_view::npos) return Value::of(kNotFound);
  return Value::of(static_cast<std::int32_t>(code_point_count(text.substr(0, at))));
}

constexpr OperatorDefinition kOperators[] = {
    eager("$substr", 3, substring_bytes),
    eager("$substrBytes", 3, substring_bytes),
    eager("$substrCP", 3, substring_code_points),
    eager("$strLenBytes", 1, length_in_bytes),
    eager("$strLenCP", 1, length_in_code_points),
    eager("$indexOfBytes", 2, 4, index_in_bytes),
    eager("$indexOfCP", 2, 4, index_in_code_points),
};

}  // namespace

OperatorTable substring_operators() { return kOperators; }

}  // namespace restitch::query
