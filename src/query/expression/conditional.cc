#include "bson/extended_json.h"
#include "query/expression/nodes.h"
#include "query/expression/numbers.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

// Has the value of one of its operands.
class ChoiceNode : public CompositeNode {
 public:
  using CompositeNode::CompositeNode;

  Result<Value> evaluate(EvalContext& context) const final {
    RESTITCH_TRY(const Expression* chosen, choose(context));
    return chosen->evaluate(context);
  }
  Result<ValueView> peek(EvalContext& context, Value& storage) const final {
    RESTITCH_TRY(const Expression* chosen, choose(context));
    return chosen->peek(context, storage);
  }

 private:
  virtual Result<const Expression*> choose(EvalContext& context) const = 0;
};

// Operands: if, then, else.
class ConditionNode final : public ChoiceNode {
 public:
  using ChoiceNode::ChoiceNode;

 private:
  Result<const Expression*> choose(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView condition, operand(0).peek(context, storage));
    return &operand(condition.truthy() ? 1 : 2);
  }
};

// Operands: case, then, case, then, …, and the default last (absent if there is none).
class SwitchNode final : public ChoiceNode {
 public:
  using ChoiceNode::ChoiceNode;

 private:
  Result<const Expression*> choose(EvalContext& context) const override {
    const std::size_t last = operands().size() - 1;
    for (std::size_t i = 0; i + 1 < last; i += 2) {
      Value storage;
      RESTITCH_TRY(const ValueView condition, operand(i).peek(context, storage));
      if (condition.truthy()) return &operand(i + 1);
    }
    if (has(last)) return &operand(last);
    return mongo_error(40066,
                       "$switch could not find a matching branch for an input, and no "
                       "default was specified.");
  }
};

class IfNullNode final : public CompositeNode {
 public:
  using CompositeNode::CompositeNode;

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView value, peek(context, storage));
    return Value(value);
  }
  Result<ValueView> peek(EvalContext& context, Value& storage) const override {
    for (std::size_t i = 0; i + 1 < operands().size(); ++i) {
      RESTITCH_TRY(const ValueView value, operand(i).peek(context, storage));
      if (!value.is_nullish()) return value;
      storage = Value();
    }
    return operand(operands().size() - 1).peek(context, storage);
  }
};

Result<ExpressionPtr> parse_condition(const bson::Element& element,
                                      const ExpressionCompiler& compiler) {
  std::vector<ExpressionPtr> operands;
  if (element.value.type() != Type::kObject) {
    const OperatorDefinition three{element.name, 3, 3};
    RESTITCH_TRY(operands, compile_operands(three, element.value, compiler));
    return make_folded<ConditionNode>(compiler.context, std::move(operands));
  }
  constexpr const char* kNames[] = {"if", "then", "else"};
  operands.resize(3);
  for (const bson::Element& argument : element.value.get_document()) {
    std::size_t index = 0;
    while (index < 3 && argument.name != kNames[index]) ++index;
    if (index == 3) {
      return mongo_error(17083, "Unrecognized parameter to $cond: " + std::string(argument.name));
    }
    RESTITCH_TRY(operands[index], compiler.compile(argument.value));
  }
  for (int i = 0; i < 3; ++i) {
    if (operands[static_cast<std::size_t>(i)]) continue;
    return mongo_error(17080 + i, std::string("Missing '") + kNames[i] + "' parameter to $cond");
  }
  return make_folded<ConditionNode>(compiler.context, std::move(operands));
}

Result<ExpressionPtr> parse_if_null(const bson::Element& element,
                                    const ExpressionCompiler& compiler) {
  const OperatorDefinition any{element.name, 0, kAnyNumber};
  RESTITCH_TRY(auto operands, compile_operands(any, element.value, compiler));
  if (operands.size() < 2) {
    return mongo_error(
        1257300, "$ifNull needs at least two arguments, had: " + std::to_string(operands.size()));
  }
  return make_folded<IfNullNode>(compiler.context, std::move(operands));
}

Status parse_branch(ValueView branch, const ExpressionCompiler& compiler,
                    std::vector<ExpressionPtr>& operands) {
  if (branch.type() != Type::kObject) {
    return mongo_error(40062,
                       "$switch expected each branch to be an object, found: " + type_name(branch));
  }
  ExpressionPtr condition;
  ExpressionPtr result;
  for (const bson::Element& argument : branch.get_document()) {
    if (argument.name != "case" && argument.name != "then") {
      return mongo_error(
          40063, "$switch found an unknown argument to a branch: " + std::string(argument.name));
    }
    ExpressionPtr& target = argument.name == "case" ? condition : result;
    RESTITCH_TRY(target, compiler.compile(argument.value));
  }
  if (!condition) {
    return mongo_error(40064, "$switch requires each branch have a 'case' expression");
  }
  if (!result) return mongo_error(40065, "$switch requires each branch have a 'then' expression.");
  operands.push_back(std::move(condition));
  operands.push_back(std::move(result));
  return {};
}

Result<ExpressionPtr> parse_switch(const bson::Element& element,
                                   const ExpressionCompiler& compiler) {
  if (element.value.type() != Type::kObject) {
    return mongo_error(
        40060, "$switch requires an object as an argument, found: " + type_name(element.value));
  }
  std::vector<ExpressionPtr> operands;
  ExpressionPtr otherwise;
  for (const bson::Element& argument : element.value.get_document()) {
    if (argument.name == "branches") {
      const auto branches = argument.value.as_array();
      if (!branches) {
        return mongo_error(
            40061, "$switch expected an array for 'branches', found: " + type_name(argument.value));
      }
      for (const bson::Element& branch : *branches) {
        RESTITCH_CHECK(parse_branch(branch.value, compiler, operands));
      }
    } else if (argument.name == "default") {
      RESTITCH_TRY(otherwise, compiler.compile(argument.value));
    } else {
      return mongo_error(40067, "$switch found an unknown argument: " + std::string(argument.name));
    }
  }
  if (operands.empty()) return mongo_error(40068, "$switch requires at least one branch.");
  operands.push_back(std::move(otherwise));
  return make_folded<SwitchNode>(compiler.context, std::move(operands));
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$cond", parse_condition),
    parsed("$ifNull", parse_if_null),
    parsed("$switch", parse_switch),
};

}  // namespace

OperatorTable conditional_operators() { return kOperators; }

}  // namespace restitch::query
