#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "query/expression/operator.h"

namespace restitch::query {

class ConstantNode final : public Expression {
 public:
  explicit ConstantNode(bson::Value value) : value_(std::move(value)) {}

  Result<bson::Value> evaluate(EvalContext&) const override { return value_; }
  Result<bson::ValueView> peek(EvalContext&, bson::Value&) const override { return value_.view(); }
  std::optional<bson::ValueView> constant() const override { return value_.view(); }
  void add_dependencies(std::set<std::string>&) const override {}

 private:
  bson::Value value_;
};

inline ExpressionPtr make_constant(bson::Value value) {
  return std::make_shared<ConstantNode>(std::move(value));
}

// A node with sub-expressions; null ones stand for operands that were not given.
class CompositeNode : public Expression {
 public:
  explicit CompositeNode(std::vector<ExpressionPtr> operands) : operands_(std::move(operands)) {}

  void add_dependencies(std::set<std::string>& fields) const override;
  bool is_constant() const;  // every operand is

 protected:
  const Expression& operand(std::size_t index) const { return *operands_[index]; }
  bool has(std::size_t index) const { return operands_[index] != nullptr; }
  const std::vector<ExpressionPtr>& operands() const { return operands_; }

 private:
  std::vector<ExpressionPtr> operands_;
};

// Evaluates a node whose operands are all constant, once and for all; other nodes are returned as
// they are. The evaluation's error is the error.
Result<ExpressionPtr> fold(std::shared_ptr<const CompositeNode> node,
                           const CommandContext& context);

template <typename Node, typename... Arguments>
Result<ExpressionPtr> make_folded(const CommandContext& context, Arguments&&... arguments) {
  return fold(std::make_shared<Node>(std::forward<Arguments>(arguments)...), context);
}

// Gives a variable its value for as long as the sub-expression is evaluated.
inline void assign(EvalContext& context, std::size_t slot, bson::Value value) {
  if (context.variables.size() <= slot) context.variables.resize(slot + 1);
  context.variables[slot] = std::move(value);
}

// "$a.b" and "$$name.a.b".
Result<ExpressionPtr> compile_path(std::string_view text, const ExpressionCompiler& compiler);
// {a: …, b: …} and […] that are no operator calls.
Result<ExpressionPtr> compile_object(bson::View spec, const ExpressionCompiler& compiler);
Result<ExpressionPtr> compile_array(bson::View spec, const ExpressionCompiler& compiler);

// Values at a dotted path as aggregation sees them: arrays map, what is missing is dropped, numbers
// are names.
bson::Value value_at(bson::ValueView value, std::span<const std::string> components);

}  // namespace restitch::query
