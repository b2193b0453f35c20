#include <algorithm>

#include "query/expression/nodes.h"
#include "query/expression/numbers.h"
#include "query/expression/text.h"
#include "query/interruption.h"
#include "query/regex.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

enum class RegexResult : std::uint8_t { kFind, kFindAll, kMatch };

struct Pattern {
  std::string_view text;
  std::string_view options;
};

// The pattern and options operands; nothing when there is no pattern (null).
Result<std::optional<Pattern>> read_pattern(const std::string& name, ValueView regex,
                                            ValueView options) {
  Pattern pattern;
  if (!options.is_nullish()) {
    const auto text = options.as_string();
    if (!text) return mongo_error(51106, name + " needs 'options' to be of type string");
    if (text->find('\0') != std::string_view::npos) {
      return mongo_error(
          51110, name + ": regular expression options cannot contain an embedded null byte");
    }
    pattern.options = *text;
  }
  if (regex.is_nullish()) return std::optional<Pattern>();
  if (regex.type() == Type::kRegex) {
    const bson::RegexView literal = regex.get_regex();
    pattern.text = literal.pattern;
    if (!literal.options.empty()) {
      if (!options.is_nullish()) {
        return mongo_error(51107, name +
                                      ": found regex option(s) specified in both 'regex' and "
                                      "'option' fields");
      }
      pattern.options = literal.options;
    }
    return std::optional(pattern);
  }
  const auto text = regex.as_string();
  if (!text) return mongo_error(51105, name + " needs 'regex' to be of type string or regex");
  if (text->find('\0') != std::string_view::npos) {
    return mongo_error(51109, name + ": regular expression cannot contain an embedded null byte");
  }
  pattern.text = *text;
  return std::optional(pattern);
}

Result<Regex> compile_pattern(const std::string& name, const Pattern& pattern) {
  auto compiled = Regex::compile(pattern.text, pattern.options);
  if (compiled || compiled.error().mongo_code() == 51108) return compiled;
  return mongo_error(51111, "Invalid Regex in " + name + ": " + compiled.error().message());
}

// Operands: input, regex, options (perhaps absent). A constant pattern is compiled once.
class RegexNode final : public CompositeNode {
 public:
  RegexNode(std::string name, RegexResult result, std::vector<ExpressionPtr> operands,
            std::optional<Regex> regex)
      : CompositeNode(std::move(operands)),
        name_(std::move(name)),
        regex_(std::move(regex)),
        result_(result) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView input, operand(0).peek(context, storage));
    if (!input.is_nullish() && input.type() != Type::kString) {
      return mongo_error(51104, name_ + " needs 'input' to be of type string");
    }
    std::optional<Regex> own;
    const Regex* regex = regex_ ? &*regex_ : nullptr;
    if (regex == nullptr) {
      RESTITCH_TRY(own, dynamic_regex(context));
      if (own) regex = &*own;
    }
    if (input.is_nullish() || regex == nullptr) return nothing_found();
    return search(*regex, input.get_string(), context.command);
  }

 private:
  Result<std::optional<Regex>> dynamic_regex(EvalContext& context) const {
    Value pattern_storage;
    Value option_storage;
    RESTITCH_TRY(const ValueView pattern, operand(1).peek(context, pattern_storage));
    ValueView options;
    if (has(2)) {
      RESTITCH_TRY(options, operand(2).peek(context, option_storage));
    }
    RESTITCH_TRY(const auto read, read_pattern(name_, pattern, options));
    if (!read) return std::optional<Regex>();
    RESTITCH_TRY(Regex regex, compile_pattern(name_, *read));
    return std::optional(std::move(regex));
  }

  Value nothing_found() const {
    if (result_ == RegexResult::kMatch) return Value::of(false);
    return result_ == RegexResult::kFind ? Value::null() : Value::array(bson::View());
  }

  Result<Value> search(const Regex& regex, std::string_view text,
                       const CommandContext& command) const {
    if (result_ == RegexResult::kFindAll) return search_all(regex, text, command);
    RESTITCH_TRY(const auto match, regex.search(text, 0));
    if (!match) return nothing_found();
    if (result_ == RegexResult::kMatch) return Value::of(true);
    bson::Builder builder;
    RESTITCH_CHECK(describe(builder, *match, text, 0));
    return Value::of(std::move(builder).finish());
  }

  Result<Value> search_all(const Regex& regex, std::string_view text,
                           const CommandContext& command) const {
    bson::Builder builder;
    std::size_t at = 0;
    std::size_t counted_to = 0;
    std::size_t code_points = 0;
    while (at <= text.size()) {
      RESTITCH_CHECK(check_interruption(command));
      RESTITCH_TRY(const auto match, regex.search(text, at));
      if (!match) break;
      code_points += code_point_count(text.substr(counted_to, match->start - counted_to));
      counted_to = match->start;
      builder.push_object();
      RESTITCH_CHECK(describe(builder, *match, text, code_points));
      builder.close();
      at = match->end;
      if (match->end == match->start) {
        at += at < text.size() ? code_point_size(text[at]) : 1;
      }
    }
    return Value::array(std::move(builder).finish());
  }

  // `code_points` in front of the match, or 0 to count them here.
  Status describe(bson::Builder& builder, const Regex::Match& match, std::string_view text,
                  std::size_t code_points) const {
    if (code_points == 0) code_points = code_point_count(text.substr(0, match.start));
    builder.append("match", text.substr(match.start, match.end - match.start));
    builder.append("idx", static_cast<std::int32_t>(code_points));
    builder.open_array("captures");
    constexpr std::size_t kMostBytes = 64U << 20U;
    for (const auto& [start, end] : match.captures) {
      if (builder.size() > kMostBytes) {
        return mongo_error(51151,
                           name_ + ": the size of buffer to store output exceeded the 64MB limit");
      }
      if (start == std::string_view::npos) {
        builder.push(bson::Null{});
      } else {
        builder.push(text.substr(start, end - start));
      }
    }
    builder.close();
    return {};
  }

  std::string name_;
  std::optional<Regex> regex_;
  RegexResult result_;
};

Result<std::vector<ExpressionPtr>> regex_operands(const bson::Element& element,
                                                  const ExpressionCompiler& compiler) {
  const std::string name(element.name);
  if (element.value.type() != Type::kObject) {
    return mongo_error(51103, name + " expects an object of named arguments but found: " +
                                  type_name(element.value));
  }
  constexpr const char* kNames[] = {"input", "regex", "options"};
  std::vector<ExpressionPtr> operands(3);
  for (const bson::Element& argument : element.value.get_document()) {
    const auto* known = std::find(std::begin(kNames), std::end(kNames), argument.name);
    if (known == std::end(kNames)) {
      return mongo_error(31024, name + " found unknown argument: " + std::string(argument.name));
    }
    const auto index = static_cast<std::size_t>(known - std::begin(kNames));
    RESTITCH_TRY(operands[index], compiler.compile(argument.value));
  }
  if (!operands[0]) return mongo_error(31022, name + " requires 'input' parameter");
  if (!operands[1]) return mongo_error(31023, name + " requires 'regex' parameter");
  return operands;
}

template <RegexResult result>
Result<ExpressionPtr> parse_regex(const bson::Element& element,
                                  const ExpressionCompiler& compiler) {
  const std::string name(element.name);
  RESTITCH_TRY(auto operands, regex_operands(element, compiler));
  std::optional<Regex> regex;
  const auto pattern = operands[1]->constant();
  const auto options = operands[2] ? operands[2]->constant() : std::optional(ValueView());
  if (pattern && options) {
    RESTITCH_TRY(const auto read, read_pattern(name, *pattern, *options));
    if (read) {
      RESTITCH_TRY(regex, compile_pattern(name, *read));
    }
  }
  return make_folded<RegexNode>(compiler.context, name, result, std::move(operands),
                                std::move(regex));
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$regexFind", parse_regex<RegexResult::kFind>),
    parsed("$regexFindAll", parse_regex<RegexResult::kFindAll>),
    parsed("$regexMatch", parse_regex<RegexResult::kMatch>),
};

}  // namespace

OperatorTable regex_operators() { return kOperators; }

}  // namespace restitch::query
