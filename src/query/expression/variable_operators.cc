#include <deque>

#include "query/expression/nodes.h"
#include "query/expression/numbers.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

// Operands: the values of the variables in slots from `first_slot`, then the body.
class LetNode final : public CompositeNode {
 public:
  LetNode(std::size_t first_slot, std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)), first_slot_(first_slot) {}

  Result<Value> evaluate(EvalContext& context) const override {
    const std::size_t count = operands().size() - 1;
    // The variables do not see each other, so all are evaluated before any is bound.
    std::vector<Value> values(count);
    HeldBytes held(context, "$let");
    for (std::size_t i = 0; i < count; ++i) {
      RESTITCH_TRY(values[i], operand(i).evaluate(context));
      RESTITCH_CHECK(held.add(values[i].view().raw().size()));
    }
    std::deque<Binding> bindings;
    for (std::size_t i = 0; i < count; ++i) {
      RESTITCH_CHECK(
          bindings.emplace_back(context, first_slot_ + i, "$let").set(std::move(values[i])));
    }
    RESTITCH_CHECK(held.set(0));
    return operand(count).evaluate(context);
  }

 private:
  std::size_t first_slot_;
};

Result<ExpressionPtr> parse_let(const bson::Element& element, const ExpressionCompiler& compiler) {
  if (element.value.type() != Type::kObject) {
    return mongo_error(16874, "$let only supports an object as its argument");
  }
  const bson::View spec = element.value.get_document();
  for (const bson::Element& argument : spec) {
    if (argument.name != "vars" && argument.name != "in") {
      return mongo_error(16875, "Unrecognized parameter to $let: " + std::string(argument.name));
    }
  }
  const ValueView variables = spec["vars"];
  if (variables.is_missing()) return mongo_error(16876, "Missing 'vars' parameter to $let");
  if (!spec.contains("in")) return mongo_error(16877, "Missing 'in' parameter to $let");
  if (variables.type() != Type::kObject) {
    return mongo_error(10065, "invalid parameter: expected an object (vars)");
  }
  std::vector<ExpressionPtr> operands;
  VariableScope inner = compiler.scope.nested();
  for (const bson::Element& variable : variables.get_document()) {
    RESTITCH_TRY(ExpressionPtr value, compiler.compile(variable.value));
    operands.push_back(std::move(value));
    RESTITCH_CHECK(inner.bind(variable.name));
  }
  RESTITCH_TRY(ExpressionPtr body, Expression::compile(spec["in"], compiler.context, inner));
  operands.push_back(std::move(body));
  return make_folded<LetNode>(compiler.context, compiler.scope.size(), std::move(operands));
}

Result<ExpressionPtr> parse_literal(const bson::Element& element, const ExpressionCompiler&) {
  return make_constant(Value(element.value));
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$let", parse_let),
    parsed("$literal", parse_literal),
    parsed("$const", parse_literal),
};

}  // namespace

OperatorTable variable_operators() { return kOperators; }

}  // namespace restitch::query
