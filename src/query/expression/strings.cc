#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/expression/operator.h"
#include "query/expression/text.h"

namespace restitch::query {

using bson::Type;
using bson::Value;
using bson::ValueView;

Result<std::string> coerce_to_string(ValueView value) {
  switch (value.type()) {
    case Type::kMissing:
    case Type::kNull:
    case Type::kUndefined:
      return std::string();
    case Type::kString:
    case Type::kCode:
    case Type::kSymbol:
      return std::string(value.get_string());
    case Type::kInt32:
    case Type::kInt64:
      return std::to_string(integer_of(value));
    case Type::kDouble:
      return plain_double(value.get_double());
    case Type::kDecimal128:
      return bson::to_string(value.get_decimal128());
    case Type::kDate:
      return date_text(value.get_date());
    case Type::kTimestamp:
      return bson::to_shell(value);
    default:
      return mongo_error(16007, "can't convert from BSON type " + type_name(value) + " to String");
  }
}

namespace {

Result<Value> concatenate(const Args& args) {
  std::string out;
  bool nullish = false;
  for (const ValueView& value : args.values) {
    if (value.is_nullish()) {
      nullish = true;
    } else if (const auto text = value.as_string()) {
      RESTITCH_CHECK(check_memory(args, out.size() + text->size()));
      out.append(*text);
    } else {
      return mongo_error(16702, "$concat only supports strings, not " + type_name(value));
    }
    if (nullish) return Value::null();
  }
  return Value::of(out);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

template <char (*convert)(char)>
Result<Value> change_case(const Args& args) {
  RESTITCH_TRY(std::string text, coerce_to_string(args[0]));
  std::transform(text.begin(), text.end(), text.begin(), convert);
  return Value::of(text);
}

Result<Value> compare_without_case(const Args& args) {
  RESTITCH_TRY(std::string a, coerce_to_string(args[0]));
  RESTITCH_TRY(std::string b, coerce_to_string(args[1]));
  std::transform(a.begin(), a.end(), a.begin(), upper);
  std::transform(b.begin(), b.end(), b.begin(), upper);
  const int order = a.compare(b);
  return Value::of(static_cast<std::int32_t>(order < 0 ? -1 : order > 0 ? 1 : 0));
}

Result<Value> split(const Args& args) {
  if (args.any_nullish()) return Value::null();
  const auto text = args[0].as_string();
  const auto separator = args[1].as_string();
  if (!text) {
    return mongo_error(40085,
                       "$split requires an expression that evaluates to a string as a first "
                       "argument, found: " +
                           type_name(args[0]));
  }
  if (!separator) {
    return mongo_error(40086,
                       "$split requires an expression that evaluates to a string as a second "
                       "argument, found: " +
                           type_name(args[1]));
  }
  if (separator->empty()) return mongo_error(40087, "$split requires a non-empty separator");
  bson::Builder builder;
  std::string_view rest = *text;
  while (true) {
    const std::size_t at = find_text(rest, *separator);
    builder.push(rest.substr(0, at));
    if (at == std::string_view::npos) break;
    rest.remove_prefix(at + separator->size());
  }
  return Value::array(std::move(builder).finish());
}

// White space as $trim knows it without `chars`: ASCII blanks, NUL and the Unicode space
// separators.
constexpr std::string_view kBlanks[] = {{"\0", 1}, " ",      "\t",     "\n",     "\v",
                                        "\f",      "\r",     "\u00a0", "\u1680", "\u2000",
                                        "\u2001",  "\u2002", "\u2003", "\u2004", "\u2005",
                                        "\u2006",  "\u2007", "\u2008", "\u2009", "\u200a"};

std::vector<std::string_view> code_points(std::string_view text) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t size = std::min(code_point_size(text.front()), text.size());
    out.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return out;
}

void trim_front(std::string_view& text, std::span<const std::string_view> chars) {
  while (!text.empty()) {
    const auto hit = std::find_if(chars.begin(), chars.end(), [&](std::string_view c) {
      return text.substr(0, c.size()) == c;
    });
    if (hit == chars.end()) return;
    text.remove_prefix(hit->size());
  }
}

void trim_back(std::string_view& text, std::span<const std::string_view> chars) {
  while (!text.empty()) {
    const auto hit = std::find_if(chars.begin(), chars.end(), [&](std::string_view c) {
      return text.size() >= c.size() && text.substr(text.size() - c.size()) == c;
    });
    if (hit == chars.end()) return;
    text.remove_suffix(hit->size());
  }
}

template <bool front, bool back>
Result<Value> trim(const Args& args) {
  if (args[0].is_nullish() || (args.has(1) && args[1].is_nullish())) return Value::null();
  const auto input = args[0].as_string();
  if (!input) {
    return mongo_error(50699, std::string(args.name) + " requires its input to be a string, got " +
                                  bson::to_shell(args[0]) + " (of type " + type_name(args[0]) +
                                  ") instead.");
  }
  std::vector<std::string_view> own;
  std::span<const std::string_view> chars = kBlanks;
  if (args.has(1)) {
    const auto given = args[1].as_string();
    if (!given) {
      return mongo_error(50700, std::string(args.name) + " requires 'chars' to be a string, got " +
                                    bson::to_shell(args[1]) + " (of type " + type_name(args[1]) +
                                    ") instead.");
    }
    own = code_points(*given);
    chars = own;
  }
  std::string_view text = *input;
  if (front) trim_front(text, chars);
  if (back) trim_back(text, chars);
  return Value::of(text);
}

constexpr NamedArgument kTrimNames[] = {{"input", 50695}, {"chars"}};
constexpr NamedArguments kTrim = {{50696, "%o only supports an object as an argument, found %t"},
                                  {50694, "%o found an unknown argument: %a"},
                                  "%o requires an 'input' field",
                                  kTrimNames};

template <bool all>
Result<Value> replace(const Args& args) {
  constexpr int kCodes[] = {51746, 51745, 51744};
  constexpr const char* kNames[] = {"input", "find", "replacement"};
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i].is_nullish() || args[i].type() == Type::kString) continue;
    return mongo_error(kCodes[i], std::string(args.name) + " requires that '" + kNames[i] +
                                      "' be a string, found: " + bson::to_shell(args[i]));
  }
  if (args.any_nullish()) return Value::null();
  std::string_view rest = args[0].get_string();
  const std::string_view find = args[1].get_string();
  const std::string_view replacement = args[2].get_string();
  std::string out;
  bool is_done = false;
  while (!is_done) {
    const std::size_t at = find_text(rest, find);
    if (at == std::string_view::npos) break;
    RESTITCH_CHECK(check_memory(args, out.size() + at + replacement.size()));
    out.append(rest.substr(0, at)).append(replacement);
    rest.remove_prefix(at + find.size());
    // An empty pattern matches before every code point and at the end.
    if (find.empty() && all) {
      if (rest.empty()) return Value::of(out);
      const std::size_t size = std::min(code_point_size(rest.front()), rest.size());
      out.append(rest.substr(0, size));
      rest.remove_prefix(size);
    }
    is_done = !all;
  }
  out.append(rest);
  return Value::of(out);
}

constexpr NamedArgument kReplaceNames[] = {
    {"input", 51749}, {"find", 51748}, {"replacement", 51747}};
constexpr NamedArguments kReplace = {{51751, "%o requires an object as an argument, found: %t"},
                                     {51750, "%o found an unknown argument: %a"},
                                     "%o requires '%a' to be specified",
                                     kReplaceNames};

Result<Value> binary_size(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  if (const auto text = args[0].as_string()) {
    return Value::of(static_cast<std::int32_t>(text->size()));
  }
  if (args[0].type() == Type::kBinary) {
    return Value::of(static_cast<std::int32_t>(args[0].get_binary().bytes.size()));
  }
  return mongo_error(
      51276, "$binarySize requires a string or BinData argument, found: " + type_name(args[0]));
}

constexpr OperatorDefinition kOperators[] = {
    eager("$concat", 0, kAnyNumber, concatenate),
    eager("$toLower", 1, change_case<lower>),
    eager("$toUpper", 1, change_case<upper>),
    eager("$strcasecmp", 2, compare_without_case),
    eager("$split", 2, split),
    with_names("$trim", kTrim, trim<true, true>),
    with_names("$ltrim", kTrim, trim<true, false>),
    with_names("$rtrim", kTrim, trim<false, true>),
    with_names("$replaceOne", kReplace, replace<false>),
    with_names("$replaceAll", kReplace, replace<true>),
    eager("$binarySize", 1, binary_size),
};

}  // namespace

OperatorTable string_operators() { return kOperators; }

}  // namespace restitch::query
