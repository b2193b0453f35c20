#include <array>
#include <unordered_map>

#include "bson/extended_json.h"
#include "query/expression/nodes.h"

namespace restitch::query {
namespace {

using bson::Value;
using bson::ValueView;

// A call of an operator that evaluates all its operands first.
class CallNode final : public CompositeNode {
 public:
  CallNode(const OperatorDefinition& definition, std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)), definition_(definition) {
    for (std::size_t i = 0; definition.named != nullptr && i < this->operands().size(); ++i) {
      if (has(i)) given_ |= 1U << i;
    }
  }

  Result<Value> evaluate(EvalContext& context) const override {
    constexpr std::size_t kInline = 4;
    if (operands().size() <= kInline) {
      std::array<Value, kInline> storage;
      std::array<ValueView, kInline> values;
      return call(context, storage.data(), values.data());
    }
    std::vector<Value> storage(operands().size());
    std::vector<ValueView> values(operands().size());
    return call(context, storage.data(), values.data());
  }

 private:
  Result<Value> call(EvalContext& context, Value* storage, ValueView* values) const {
    const std::size_t count = operands().size();
    HeldBytes held(context, definition_.name);
    for (std::size_t i = 0; i < count; ++i) {
      if (!has(i)) continue;
      RESTITCH_TRY(values[i], operand(i).peek(context, storage[i]));
      RESTITCH_CHECK(held.add(storage[i].view().raw().size()));
    }
    return definition_.function(
        Args{{values, count}, given_, definition_.name, context.command, context.held});
  }

  const OperatorDefinition& definition_;
  std::uint32_t given_ = 0;
};

Result<std::vector<ExpressionPtr>> compile_named(const OperatorDefinition& definition,
                                                 ValueView spec,
                                                 const ExpressionCompiler& compiler) {
  const NamedArguments& named = *definition.named;
  const auto fail = [&](int code, const char* text, std::string_view argument) {
    return mongo_error(code,
                       fill_text(text, definition.name, bson::alias_of(spec.type()), argument));
  };
  if (spec.type() != bson::Type::kObject) {
    return fail(named.not_object.code, named.not_object.text, {});
  }
  std::vector<ExpressionPtr> operands(named.arguments.size());
  for (const bson::Element& element : spec.get_document()) {
    std::size_t index = 0;
    while (index < operands.size() && element.name != named.arguments[index].name) ++index;
    if (index == operands.size()) return fail(named.unknown.code, named.unknown.text, element.name);
    RESTITCH_TRY(operands[index], compiler.compile(element.value));
  }
  for (std::size_t i = 0; i < operands.size(); ++i) {
    if (!operands[i] && named.arguments[i].missing_code != 0) {
      return fail(named.arguments[i].missing_code, named.missing_text, named.arguments[i].name);
    }
  }
  return operands;
}

Result<ExpressionPtr> compile_call(const OperatorDefinition& definition,
                                   const bson::Element& element,
                                   const ExpressionCompiler& compiler) {
  if (definition.parse != nullptr) return definition.parse(element, compiler);
  RESTITCH_TRY(auto operands, definition.named != nullptr
                                  ? compile_named(definition, element.value, compiler)
                                  : compile_operands(definition, element.value, compiler));
  auto node = std::make_shared<CallNode>(definition, std::move(operands));
  if (definition.purity == Purity::kVolatile) return ExpressionPtr(std::move(node));
  return fold(std::move(node), compiler.context);
}

using OperatorMap = std::unordered_map<std::string_view, const OperatorDefinition*>;

OperatorMap all_operators() {
  OperatorMap map;
  for (const OperatorTable table : {arithmetic_operators(),    mathematical_operators(),
                                    rounding_operators(),      bit_operators(),
                                    comparison_operators(),    boolean_operators(),
                                    conditional_operators(),   array_operators(),
                                    array_element_operators(), array_conversion_operators(),
                                    iteration_operators(),     set_operators(),
                                    object_operators(),        field_operators(),
                                    string_operators(),        substring_operators(),
                                    regex_operators(),         date_part_operators(),
                                    date_text_operators(),     date_arithmetic_operators(),
                                    type_operators(),          conversion_operators(),
                                    variable_operators(),      accumulator_operators(),
                                    miscellaneous_operators()}) {
    for (const OperatorDefinition& definition : table) map.emplace(definition.name, &definition);
  }
  return map;
}

}  // namespace

const OperatorDefinition* find_operator(std::string_view name) {
  static const OperatorMap map = all_operators();
  const auto found = map.find(name);
  return found == map.end() ? nullptr : found->second;
}

std::string fill_text(const char* text, std::string_view operator_name, std::string_view type,
                      std::string_view argument) {
  std::string out;
  for (const char* at = text; *at != '\0'; ++at) {
    if (*at != '%') {
      out.push_back(*at);
      continue;
    }
    ++at;
    out.append(*at == 'o' ? operator_name : *at == 't' ? type : argument);
  }
  return out;
}

Result<std::vector<ExpressionPtr>> compile_operands(const OperatorDefinition& definition,
                                                    ValueView spec,
                                                    const ExpressionCompiler& compiler) {
  std::vector<ExpressionPtr> operands;
  if (const auto array = spec.as_array()) {
    for (const bson::Element& element : *array) {
      RESTITCH_TRY(ExpressionPtr operand, compiler.compile(element.value));
      operands.push_back(std::move(operand));
    }
  } else {
    RESTITCH_TRY(ExpressionPtr operand, compiler.compile(spec));
    operands.push_back(std::move(operand));
  }
  const int count = static_cast<int>(operands.size());
  const bool fits = count >= definition.min_arity &&
                    (definition.max_arity == kAnyNumber || count <= definition.max_arity);
  if (fits) return operands;
  const std::string name(definition.name);
  if (definition.min_arity == definition.max_arity) {
    return mongo_error(16020, "Expression " + name + " takes exactly " +
                                  std::to_string(definition.min_arity) + " arguments. " +
                                  std::to_string(count) + " were passed in.");
  }
  const std::string most =
      definition.max_arity == kAnyNumber ? "unlimited" : std::to_string(definition.max_arity);
  return mongo_error(28667, "Expression " + name + " takes at least " +
                                std::to_string(definition.min_arity) + " arguments, and at most " +
                                most + ", but " + std::to_string(count) + " were passed in.");
}

Result<ExpressionPtr> Expression::compile(ValueView spec, const CommandContext& context,
                                          const VariableScope& scope) {
  const ExpressionCompiler compiler{context, scope};
  if (const auto text = spec.as_string(); text && text->substr(0, 1) == "$") {
    return compile_path(*text, compiler);
  }
  if (const auto array = spec.as_array()) return compile_array(*array, compiler);
  const auto object = spec.as_object();
  if (!object) return make_constant(Value(spec));
  const auto first = object->begin();
  if (first == object->end() || first->name.substr(0, 1) != "$") {
    return compile_object(*object, compiler);
  }
  auto second = first;
  if (++second != object->end()) {
    return mongo_error(15983, "an object representing an expression must have exactly one field: " +
                                  bson::to_shell(*object));
  }
  const OperatorDefinition* definition = find_operator(first->name);
  if (definition == nullptr) {
    return mongo_error(168, "Unrecognized expression '" + std::string(first->name) + "'");
  }
  return compile_call(*definition, *first, compiler);
}

}  // namespace restitch::query
