#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "query/expression/expression.h"

namespace restitch::query {

using ExpressionPtr = std::shared_ptr<const Expression>;

// Compiles the parts of one specification.
struct ExpressionCompiler {
  const CommandContext& context;
  const VariableScope& scope;

  Result<ExpressionPtr> compile(bson::ValueView spec) const {
    return Expression::compile(spec, context, scope);
  }
};

// The evaluated operands of one call. Optional named operands that were not given are missing.
struct Args {
  std::span<const bson::ValueView> values;
  std::uint32_t given = 0;  // bit i: operand i stands in the specification (named operands only)
  std::string_view name;    // the operator, with its `$`
  const CommandContext& command;
  std::size_t held = 0;  // bytes of the intermediate values that are alive

  bson::ValueView operator[](std::size_t index) const { return values[index]; }
  std::size_t size() const { return values.size(); }
  bool has(std::size_t index) const { return (given >> index & 1U) != 0; }
  bool any_nullish() const {
    for (const bson::ValueView& value : values) {
      if (value.is_nullish()) return true;
    }
    return false;
  }
};

// Error 146 when `bytes` of intermediate values are more than a command may hold.
inline Status check_memory(const CommandContext& context, std::size_t bytes, std::string_view who) {
  if (bytes <= static_cast<std::size_t>(context.memory_limit)) return {};
  return mongo_error(146, std::string(who) + " would use too much memory and cannot spill");
}
// The same for the growing result of an operator.
inline Status check_memory(const Args& args, std::size_t result_bytes) {
  return check_memory(args.command, args.held + result_bytes, args.name);
}

using EagerFunction = Result<bson::Value> (*)(const Args& args);
using ParseFunction = Result<ExpressionPtr> (*)(const bson::Element& element,
                                                const ExpressionCompiler& compiler);

// Error texts may hold %o (operator), %t (type of the operand) and %a (argument).
struct ErrorText {
  int code;
  const char* text;
};
struct NamedArgument {
  const char* name;
  int missing_code = 0;  // 0: optional
};
struct NamedArguments {
  ErrorText not_object;
  ErrorText unknown;
  const char* missing_text;
  std::span<const NamedArgument> arguments;
};

inline constexpr int kAnyNumber = -1;

enum class Purity : std::uint8_t { kPure, kVolatile };

// One row of the operator table. Either `function` (all operands are evaluated first; positional
// with the given arity, or named) or `parse` (the operator builds its own node).
struct OperatorDefinition {
  std::string_view name;
  int min_arity = 0;
  int max_arity = 0;
  EagerFunction function = nullptr;
  ParseFunction parse = nullptr;
  const NamedArguments* named = nullptr;
  Purity purity = Purity::kPure;
};

constexpr OperatorDefinition eager(std::string_view name, int min_arity, int max_arity,
                                   EagerFunction function) {
  return {name, min_arity, max_arity, function, nullptr, nullptr, Purity::kPure};
}
constexpr OperatorDefinition eager(std::string_view name, int arity, EagerFunction function) {
  return eager(name, arity, arity, function);
}
constexpr OperatorDefinition with_names(std::string_view name, const NamedArguments& named,
                                        EagerFunction function) {
  return {name, 0, 0, function, nullptr, &named, Purity::kPure};
}
constexpr OperatorDefinition parsed(std::string_view name, ParseFunction parse) {
  return {name, 0, 0, nullptr, parse, nullptr, Purity::kPure};
}

// Null when there is no such operator.
const OperatorDefinition* find_operator(std::string_view name);

// The operator families, one a file.
using OperatorTable = std::span<const OperatorDefinition>;
OperatorTable arithmetic_operators();
OperatorTable mathematical_operators();
OperatorTable rounding_operators();
OperatorTable bit_operators();
OperatorTable comparison_operators();
OperatorTable boolean_operators();
OperatorTable conditional_operators();
OperatorTable array_operators();
OperatorTable array_element_operators();
OperatorTable array_conversion_operators();
OperatorTable iteration_operators();
OperatorTable set_operators();
OperatorTable object_operators();
OperatorTable field_operators();
OperatorTable string_operators();
OperatorTable substring_operators();
OperatorTable regex_operators();
OperatorTable date_part_operators();
OperatorTable date_text_operators();
OperatorTable date_arithmetic_operators();
OperatorTable type_operators();
OperatorTable conversion_operators();
OperatorTable variable_operators();
OperatorTable accumulator_operators();
OperatorTable miscellaneous_operators();

// Operands of a positional operator: the elements of an array, or the one value. Checks the arity
// (16020, 28667).
Result<std::vector<ExpressionPtr>> compile_operands(const OperatorDefinition& definition,
                                                    bson::ValueView spec,
                                                    const ExpressionCompiler& compiler);

// Replaces %o, %t and %a.
std::string fill_text(const char* text, std::string_view operator_name, std::string_view type,
                      std::string_view argument);

}  // namespace restitch::query
