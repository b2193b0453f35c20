#include "bson/extended_json.h"
#include "query/expression/dates.h"
#include "query/expression/nodes.h"
#include "query/expression/numbers.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

constexpr std::string_view kUtcFormat = "%Y-%m-%dT%H:%M:%S.%LZ";
constexpr std::string_view kZonedFormat = "%Y-%m-%dT%H:%M:%S.%L";

// Operands: date, format, timezone, onNull.
class DateToStringNode final : public CompositeNode {
 public:
  using CompositeNode::CompositeNode;

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView date, operand(0).peek(context, storage));
    Value format_storage;
    ValueView format;
    if (has(1)) {
      RESTITCH_TRY(format, operand(1).peek(context, format_storage));
      if (!format.is_nullish()) RESTITCH_CHECK(check_format(format));
    }
    TimeZone zone;
    if (has(2)) {
      Value zone_storage;
      RESTITCH_TRY(const ValueView name, operand(2).peek(context, zone_storage));
      if (name.is_nullish()) return Value::null();
      RESTITCH_TRY(zone, read_time_zone(name, 40517, "$dateToString"));
    }
    if (date.is_nullish()) return has(3) ? operand(3).evaluate(context) : Value::null();
    if (has(1) && format.is_nullish()) return Value::null();
    RESTITCH_TRY(const std::int64_t millis, coerce_to_millis(date));
    const std::string_view pattern = has(1)          ? format.get_string()
                                     : zone.is_utc() ? kUtcFormat
                                                     : kZonedFormat;
    RESTITCH_TRY(const std::string text, format_date(millis, pattern, zone));
    return Value::of(text);
  }

 private:
  static Status check_format(ValueView format) {
    const auto text = format.as_string();
    if (text) return check_date_format(*text, false);
    return mongo_error(18533, "$dateToString requires that 'format' be a string, found: " +
                                  type_name(format) + " with value " + bson::to_shell(format));
  }
};

// Operands: dateString, format, timezone, onNull, onError.
class DateFromStringNode final : public CompositeNode {
 public:
  using CompositeNode::CompositeNode;

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView text, operand(0).peek(context, storage));
    Value format_storage;
    ValueView format;
    if (has(1)) {
      RESTITCH_TRY(format, operand(1).peek(context, format_storage));
      if (!format.is_nullish()) RESTITCH_CHECK(check_format(format));
    }
    std::optional<TimeZone> zone;
    bool zone_is_null = false;
    if (has(2)) {
      Value zone_storage;
      RESTITCH_TRY(const ValueView name, operand(2).peek(context, zone_storage));
      zone_is_null = name.is_nullish();
      if (!zone_is_null) {
        RESTITCH_TRY(zone, read_time_zone(name, 40517, "$dateFromString"));
      }
    }
    if (text.is_nullish()) return has(3) ? operand(3).evaluate(context) : Value::null();
    if (zone_is_null || (has(1) && format.is_nullish())) return Value::null();
    const auto millis = parse(text, format, zone ? &*zone : nullptr);
    if (millis) return Value::of(bson::Date{*millis});
    if (has(4)) return operand(4).evaluate(context);
    return millis.error();
  }

 private:
  static Status check_format(ValueView format) {
    const auto text = format.as_string();
    if (text) return check_date_format(*text, true);
    return mongo_error(40684, "$dateFromString requires that 'format' be a string, found: " +
                                  type_name(format) + " with value " + bson::to_shell(format));
  }

  static Result<std::int64_t> parse(ValueView value, ValueView format, const TimeZone* zone) {
    const auto text = value.as_string();
    if (!text) {
      return mongo_error(241, "$dateFromString requires that 'dateString' be a string, found: " +
                                  type_name(value) + " with value " + bson::to_shell(value));
    }
    if (format.type() == Type::kString) {
      return parse_date_with_format(*text, format.get_string(), zone);
    }
    return parse_date_text(*text, zone);
  }
};

struct TextOperator {
  ErrorText not_object;
  ErrorText unknown;
  ErrorText missing;
  std::span<const char* const> names;
};

Result<std::vector<ExpressionPtr>> read_operands(const bson::Element& element,
                                                 const TextOperator& texts,
                                                 const ExpressionCompiler& compiler) {
  if (element.value.type() != Type::kObject) {
    return mongo_error(texts.not_object.code, fill_text(texts.not_object.text, element.name,
                                                        type_name(element.value), {}));
  }
  std::vector<ExpressionPtr> operands(texts.names.size());
  for (const bson::Element& argument : element.value.get_document()) {
    std::size_t index = 0;
    while (index < operands.size() && argument.name != texts.names[index]) ++index;
    if (index == operands.size()) {
      return mongo_error(texts.unknown.code,
                         fill_text(texts.unknown.text, element.name, {}, argument.name));
    }
    RESTITCH_TRY(operands[index], compiler.compile(argument.value));
  }
  if (!operands[0]) {
    return mongo_error(texts.missing.code,
                       fill_text(texts.missing.text, element.name, {}, texts.names[0]));
  }
  return operands;
}

constexpr const char* kToStringNames[] = {"date", "format", "timezone", "onNull"};
constexpr const char* kFromStringNames[] = {"dateString", "format", "timezone", "onNull",
                                            "onError"};
constexpr TextOperator kToString = {{18629, "%o only supports an object as its argument"},
                                    {18534, "Unrecognized argument to %o: %a"},
                                    {18628, "Missing '%a' parameter to %o"},
                                    kToStringNames};
constexpr TextOperator kFromString = {
    {40540, "%o only supports an object as an argument, found: %t"},
    {40541, "Unrecognized argument to %o: %a"},
    {40542, "Missing '%a' parameter to %o"},
    kFromStringNames};

template <typename Node, const TextOperator& texts>
Result<ExpressionPtr> parse_text_operator(const bson::Element& element,
                                          const ExpressionCompiler& compiler) {
  RESTITCH_TRY(auto operands, read_operands(element, texts, compiler));
  return make_folded<Node>(compiler.context, std::move(operands));
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$dateToString", parse_text_operator<DateToStringNode, kToString>),
    parsed("$dateFromString", parse_text_operator<DateFromStringNode, kFromString>),
};

}  // namespace

OperatorTable date_text_operators() { return kOperators; }

}  // namespace restitch::query
