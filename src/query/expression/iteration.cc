#include "bson/extended_json.h"
#include "query/expression/nodes.h"
#include "query/expression/numbers.h"
#include "query/interruption.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

// The name in `as`, or "this".
Result<std::string> element_name(bson::View spec) {
  const ValueView as = spec.find("as");
  if (as.is_missing()) return std::string("this");
  const auto name = as.as_string();
  if (!name) return mongo_error(9, "'as' must be a string, found: " + type_name(as));
  return std::string(*name);
}

// Operands: input, cond, limit (perhaps absent).
class FilterNodeExpression final : public CompositeNode {
 public:
  FilterNodeExpression(std::size_t slot, std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)), slot_(slot) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView input, operand(0).peek(context, storage));
    if (input.is_nullish()) return Value::null();
    if (input.type() != Type::kArray) {
      return mongo_error(28651, "input to $filter must be an array not " + type_name(input));
    }
    RESTITCH_TRY(std::int64_t remaining, limit(context));
    bson::Builder builder;
    HeldBytes held(context, "$filter");
    RESTITCH_CHECK(held.set(storage.view().raw().size()));
    Binding binding(context, slot_, "$filter");
    for (const bson::Element& element : input.get_document()) {
      if (remaining == 0) break;
      RESTITCH_CHECK(check_interruption(context.command));
      RESTITCH_CHECK(binding.set(Value(element.value)));
      Value result;
      RESTITCH_TRY(const ValueView verdict, operand(1).peek(context, result));
      if (!verdict.truthy()) continue;
      builder.push(element.value);
      --remaining;
    }
    return Value::array(std::move(builder).finish());
  }

 private:
  // -1: none.
  Result<std::int64_t> limit(EvalContext& context) const {
    if (!has(2)) return std::int64_t{-1};
    Value storage;
    RESTITCH_TRY(const ValueView value, operand(2).peek(context, storage));
    if (value.is_nullish()) return std::int64_t{-1};
    const auto integer = as_int32(value);
    if (!integer) {
      return mongo_error(327391, "$filter: limit must be represented as a 32-bit integral value: " +
                                     bson::to_shell(value));
    }
    if (*integer < 1) {
      return mongo_error(327392,
                         "$filter: limit must be greater than 0: " + std::to_string(*integer));
    }
    return *integer;
  }

  std::size_t slot_;
};

// Operands: input, in.
class MapNode final : public CompositeNode {
 public:
  MapNode(std::size_t slot, std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)), slot_(slot) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView input, operand(0).peek(context, storage));
    if (input.is_nullish()) return Value::null();
    if (input.type() != Type::kArray) {
      return mongo_error(16883, "input to $map must be an array not " + type_name(input));
    }
    bson::Builder builder;
    HeldBytes held(context, "$map");
    const std::size_t input_bytes = storage.view().raw().size();
    Binding binding(context, slot_, "$map");
    for (const bson::Element& element : input.get_document()) {
      RESTITCH_CHECK(check_interruption(context.command));
      RESTITCH_CHECK(held.set(input_bytes + builder.size()));
      RESTITCH_CHECK(binding.set(Value(element.value)));
      Value result;
      RESTITCH_TRY(const ValueView mapped, operand(1).peek(context, result));
      if (mapped.is_missing()) {
        builder.push(bson::Null{});
      } else {
        builder.push(mapped);
      }
    }
    return Value::array(std::move(builder).finish());
  }

 private:
  std::size_t slot_;
};

// Operands: input, initialValue, in.
class ReduceNode final : public CompositeNode {
 public:
  ReduceNode(std::size_t this_slot, std::size_t value_slot, std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)), this_slot_(this_slot), value_slot_(value_slot) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView input, operand(0).peek(context, storage));
    if (input.is_nullish()) return Value::null();
    if (input.type() != Type::kArray) {
      return mongo_error(
          40080, "$reduce requires that 'input' be an array, found: " + bson::to_shell(input));
    }
    HeldBytes held(context, "$reduce");
    RESTITCH_CHECK(held.set(storage.view().raw().size()));
    RESTITCH_TRY(Value accumulated, operand(1).evaluate(context));
    Binding current(context, this_slot_, "$reduce");
    Binding value(context, value_slot_, "$reduce");
    for (const bson::Element& element : input.get_document()) {
      RESTITCH_CHECK(check_interruption(context.command));
      RESTITCH_CHECK(current.set(Value(element.value)));
      RESTITCH_CHECK(value.set(std::move(accumulated)));
      RESTITCH_TRY(accumulated, operand(2).evaluate(context));
    }
    return accumulated;
  }

 private:
  std::size_t this_slot_;
  std::size_t value_slot_;
};

Result<ExpressionPtr> parse_filter(const bson::Element& element,
                                   const ExpressionCompiler& compiler) {
  if (element.value.type() != Type::kObject) {
    return mongo_error(28646, "$filter only supports an object as its argument");
  }
  const bson::View spec = element.value.get_document();
  for (const bson::Element& argument : spec) {
    if (argument.name != "input" && argument.name != "as" && argument.name != "cond" &&
        argument.name != "limit") {
      return mongo_error(28647, "Unrecognized parameter to $filter: " + std::string(argument.name));
    }
  }
  if (!spec.contains("input")) return mongo_error(28648, "Missing 'input' parameter to $filter");
  if (!spec.contains("cond")) return mongo_error(28650, "Missing 'cond' parameter to $filter");
  std::vector<ExpressionPtr> operands(3);
  RESTITCH_TRY(operands[0], compiler.compile(spec["input"]));
  if (spec.contains("limit")) {
    RESTITCH_TRY(operands[2], compiler.compile(spec["limit"]));
  }
  RESTITCH_TRY(const std::string name, element_name(spec));
  std::size_t slot = 0;
  RESTITCH_TRY(const VariableScope inner, compiler.scope.with(name, &slot));
  RESTITCH_TRY(operands[1], Expression::compile(spec["cond"], compiler.context, inner));
  return make_folded<FilterNodeExpression>(compiler.context, slot, std::move(operands));
}

Result<ExpressionPtr> parse_map(const bson::Element& element, const ExpressionCompiler& compiler) {
  if (element.value.type() != Type::kObject) {
    return mongo_error(16878, "$map only supports an object as its argument");
  }
  const bson::View spec = element.value.get_document();
  for (const bson::Element& argument : spec) {
    if (argument.name != "input" && argument.name != "as" && argument.name != "in") {
      return mongo_error(16879, "Unrecognized parameter to $map: " + std::string(argument.name));
    }
  }
  if (!spec.contains("input")) return mongo_error(16880, "Missing 'input' parameter to $map");
  if (!spec.contains("in")) return mongo_error(16882, "Missing 'in' parameter to $map");
  std::vector<ExpressionPtr> operands(2);
  RESTITCH_TRY(operands[0], compiler.compile(spec["input"]));
  RESTITCH_TRY(const std::string name, element_name(spec));
  std::size_t slot = 0;
  RESTITCH_TRY(const VariableScope inner, compiler.scope.with(name, &slot));
  RESTITCH_TRY(operands[1], Expression::compile(spec["in"], compiler.context, inner));
  return make_folded<MapNode>(compiler.context, slot, std::move(operands));
}

Result<ExpressionPtr> parse_reduce(const bson::Element& element,
                                   const ExpressionCompiler& compiler) {
  if (element.value.type() != Type::kObject) {
    return mongo_error(
        40075, "$reduce requires an object as an argument, found: " + type_name(element.value));
  }
  const bson::View spec = element.value.get_document();
  for (const bson::Element& argument : spec) {
    if (argument.name != "input" && argument.name != "initialValue" && argument.name != "in") {
      return mongo_error(40076, "$reduce found an unknown argument: " + std::string(argument.name));
    }
  }
  if (!spec.contains("input"))
    return mongo_error(40077, "$reduce requires 'input' to be specified");
  if (!spec.contains("initialValue")) {
    return mongo_error(40078, "$reduce requires 'initialValue' to be specified");
  }
  if (!spec.contains("in")) return mongo_error(40079, "$reduce requires 'in' to be specified");
  std::vector<ExpressionPtr> operands(3);
  RESTITCH_TRY(operands[0], compiler.compile(spec["input"]));
  RESTITCH_TRY(operands[1], compiler.compile(spec["initialValue"]));
  std::size_t this_slot = 0;
  std::size_t value_slot = 0;
  RESTITCH_TRY(const VariableScope with_this, compiler.scope.with("this", &this_slot));
  RESTITCH_TRY(const VariableScope inner, with_this.with("value", &value_slot));
  RESTITCH_TRY(operands[2], Expression::compile(spec["in"], compiler.context, inner));
  return make_folded<ReduceNode>(compiler.context, this_slot, value_slot, std::move(operands));
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$filter", parse_filter),
    parsed("$map", parse_map),
    parsed("$reduce", parse_reduce),
};

}  // namespace

OperatorTable iteration_operators() { return kOperators; }

}  // namespace restitch::query
