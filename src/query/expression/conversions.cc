#include "bson/extended_json.h"
#include "query/expression/convert.h"
#include "query/expression/nodes.h"
#include "query/expression/numbers.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

Result<Type> read_target(ValueView to) {
  if (const auto alias = to.as_string()) {
    const auto type = bson::type_from_alias(*alias);
    if (!type) return mongo_error(2, "Unknown type name: " + std::string(*alias));
    return *type;
  }
  if (!to.is_number()) {
    return mongo_error(
        9, "$convert's 'to' argument must be a string or number, but is " + type_name(to));
  }
  const auto code = to.as_integer();
  if (!code) return mongo_error(9, "In $convert, numeric 'to' argument is not an integer");
  constexpr std::int64_t kLastType = 19;
  constexpr std::int64_t kMaxKeyType = 127;
  if (*code == -1) return Type::kMinKey;
  if ((*code < 1 || *code > kLastType) && *code != kMaxKeyType) {
    return mongo_error(9,
                       "In $convert, numeric value for 'to' does not correspond to a BSON type: " +
                           std::to_string(*code));
  }
  return static_cast<Type>(*code);
}

// Operands: input, to, onError, onNull; the last two may be absent.
class ConvertNode final : public CompositeNode {
 public:
  using CompositeNode::CompositeNode;

  Result<Value> evaluate(EvalContext& context) const override {
    Value input_storage;
    Value to_storage;
    RESTITCH_TRY(const ValueView to, operand(1).peek(context, to_storage));
    RESTITCH_TRY(const ValueView input, operand(0).peek(context, input_storage));
    if (input.is_nullish()) return has(3) ? operand(3).evaluate(context) : Value::null();
    if (to.is_nullish()) return Value::null();
    RESTITCH_TRY(const Type target, read_target(to));
    auto converted = convert_value(input, target);
    constexpr int kConversionFailure = 241;
    if (!converted && has(2) && converted.error().mongo_code() == kConversionFailure) {
      return operand(2).evaluate(context);
    }
    return converted;
  }
};

Result<ExpressionPtr> parse_convert(const bson::Element& element,
                                    const ExpressionCompiler& compiler) {
  if (element.value.type() != Type::kObject) {
    return mongo_error(
        9, "$convert expects an object of named arguments but found: " + type_name(element.value));
  }
  constexpr const char* kNames[] = {"input", "to", "onError", "onNull"};
  std::vector<ExpressionPtr> operands(4);
  for (const bson::Element& argument : element.value.get_document()) {
    std::size_t index = 0;
    while (index < operands.size() && argument.name != kNames[index]) ++index;
    if (index == operands.size()) {
      return mongo_error(9, "$convert found an unknown argument: " + std::string(argument.name));
    }
    RESTITCH_TRY(operands[index], compiler.compile(argument.value));
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (operands[i]) continue;
    return mongo_error(9, std::string("Missing '") + kNames[i] + "' parameter to $convert");
  }
  return make_folded<ConvertNode>(compiler.context, std::move(operands));
}

template <Type target>
Result<Value> convert_to(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  return convert_value(args[0], target);
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$convert", parse_convert),
    eager("$toBool", 1, convert_to<Type::kBool>),
    eager("$toInt", 1, convert_to<Type::kInt32>),
    eager("$toLong", 1, convert_to<Type::kInt64>),
    eager("$toDouble", 1, convert_to<Type::kDouble>),
    eager("$toDecimal", 1, convert_to<Type::kDecimal128>),
    eager("$toString", 1, convert_to<Type::kString>),
    eager("$toDate", 1, convert_to<Type::kDate>),
    eager("$toObjectId", 1, convert_to<Type::kObjectId>),
};

}  // namespace

OperatorTable conversion_operators() { return kOperators; }

}  // namespace restitch::query
