#include "query/expression/nodes.h"
#include "query/expression/numbers.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

// The constant field name of $getField, $setField and $unsetField.
Result<std::string> field_name(const Expression& field, std::string_view name, int not_constant,
                               int not_string) {
  const auto constant = field.constant();
  if (!constant) {
    return mongo_error(not_constant, std::string(name) +
                                         " requires 'field' to evaluate to a constant, "
                                         "but got a non-constant argument");
  }
  const auto text = constant->as_string();
  if (!text) {
    return mongo_error(not_string, std::string(name) +
                                       " requires 'field' to evaluate to type String, "
                                       "but got " +
                                       type_name(*constant));
  }
  return std::string(*text);
}

class GetFieldNode final : public CompositeNode {
 public:
  GetFieldNode(std::string field, ExpressionPtr input)
      : CompositeNode({std::move(input)}), field_(std::move(field)) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView found, peek(context, storage));
    return Value(found);
  }

  Result<ValueView> peek(EvalContext& context, Value& storage) const override {
    RESTITCH_TRY(const ValueView input, operand(0).peek(context, storage));
    if (input.is_nullish()) return null_or_missing(input);
    return input.type() == Type::kObject ? input.get_document().find(field_) : ValueView();
  }

 private:
  static ValueView null_or_missing(ValueView input) {
    return input.is_missing() ? ValueView() : ValueView(Type::kNull, nullptr, 0);
  }

  std::string field_;
};

Result<ExpressionPtr> parse_get_field(const bson::Element& element,
                                      const ExpressionCompiler& compiler) {
  ExpressionPtr field;
  ExpressionPtr input;
  const auto object = element.value.as_object();
  const bool has_arguments =
      object && !object->empty() && object->begin()->name.substr(0, 1) != "$";
  if (has_arguments) {
    for (const bson::Element& argument : *object) {
      if (argument.name != "field" && argument.name != "input") {
        return mongo_error(3041701,
                           "$getField found an unknown argument: " + std::string(argument.name));
      }
      ExpressionPtr& target = argument.name == "field" ? field : input;
      RESTITCH_TRY(target, compiler.compile(argument.value));
    }
    if (!field) return mongo_error(3041702, "$getField requires 'field' to be specified");
    if (!input) return mongo_error(3041703, "$getField requires 'input' to be specified");
  } else {
    RESTITCH_TRY(field, compiler.compile(element.value));
    RESTITCH_TRY(input, compiler.compile(Value::of("$$CURRENT")));
  }
  RESTITCH_TRY(std::string name, field_name(*field, "$getField", 5654600, 5654602));
  return make_folded<GetFieldNode>(compiler.context, std::move(name), std::move(input));
}

// Operands: input, value (absent: the field is taken away).
class SetFieldNode final : public CompositeNode {
 public:
  SetFieldNode(std::string name, std::string field, std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)), name_(std::move(name)), field_(std::move(field)) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value input_storage;
    RESTITCH_TRY(const ValueView input, operand(0).peek(context, input_storage));
    if (input.is_nullish()) return Value::null();
    if (input.type() != Type::kObject) {
      return mongo_error(4161105, name_ + " requires 'input' to evaluate to type Object");
    }
    Value storage;
    ValueView value;
    if (has(1)) {
      RESTITCH_TRY(value, operand(1).peek(context, storage));
    }
    bson::Builder builder;
    bool is_done = false;
    for (const bson::Element& element : input.get_document()) {
      const bool is_target = element.name == field_;
      builder.append(element.name, is_target ? value : element.value);
      is_done = is_done || is_target;
    }
    if (!is_done) builder.append(field_, value);
    return Value::of(std::move(builder).finish());
  }

 private:
  std::string name_;
  std::string field_;
};

Result<ExpressionPtr> parse_set_field(const bson::Element& element,
                                      const ExpressionCompiler& compiler) {
  const std::string name(element.name);
  const bool sets = name == "$setField";
  if (element.value.type() != Type::kObject) {
    return mongo_error(4161100, name + " only supports an object as its argument");
  }
  ExpressionPtr field;
  std::vector<ExpressionPtr> operands(2);
  for (const bson::Element& argument : element.value.get_document()) {
    const bool is_known =
        argument.name == "field" || argument.name == "input" || (sets && argument.name == "value");
    if (!is_known) {
      return mongo_error(4161101,
                         name + " found an unknown argument: " + std::string(argument.name));
    }
    ExpressionPtr& target = argument.name == "field"   ? field
                            : argument.name == "input" ? operands[0]
                                                       : operands[1];
    RESTITCH_TRY(target, compiler.compile(argument.value));
  }
  if (!field) return mongo_error(4161102, name + " requires 'field' to be specified");
  if (sets && !operands[1]) return mongo_error(4161103, name + " requires 'value' to be specified");
  if (!operands[0]) return mongo_error(4161109, name + " requires 'input' to be specified");
  RESTITCH_TRY(std::string field_text, field_name(*field, name, 4161106, 4161107));
  return make_folded<SetFieldNode>(compiler.context, name, std::move(field_text),
                                   std::move(operands));
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$getField", parse_get_field),
    parsed("$setField", parse_set_field),
    parsed("$unsetField", parse_set_field),
};

}  // namespace

OperatorTable field_operators() { return kOperators; }

}  // namespace restitch::query
