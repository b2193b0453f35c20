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

// Counts intermediate values among those that are alive, as long as it lives itself.
class HeldBytes {
 public:
  HeldBytes(EvalContext& context, std::string_view who) : context_(context), who_(who) {}
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;
  ~HeldBytes() { context_.held -= bytes_; }

  Status set(std::size_t bytes) {
    context_.held += bytes - bytes_;
    bytes_ = bytes;
    return check_memory(context_.command, context_.held, who_);
  }
  Status add(std::size_t bytes) { return set(bytes_ + bytes); }

 private:
  EvalContext& context_;
  std::string_view who_;
  std::size_t bytes_ = 0;
};

// A variable that has values for as long as sub-expressions are evaluated.
class Binding {
 public:
  Binding(EvalContext& context, std::size_t slot, std::string_view who)
      : context_(context), held_(context, who), slot_(slot) {
    if (context.variables.size() <= slot) context.variables.resize(slot + 1);
  }
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;
  ~Binding() {
    constexpr std::size_t kKept = 4096;
    if (context_.variables[slot_].view().raw().size() > kKept)
      context_.variables[slot_] = bson::Value();
  }

  Status set(bson::Value value) {
    RESTITCH_CHECK(held_.set(value.view().raw().size()));
    context_.variables[slot_] = std::move(value);
    return {};
  }

 private:
  EvalContext& context_;
  HeldBytes held_;
  std::size_t slot_;
};

// "$a.b" and "$$name.a.b".
Result<ExpressionPtr> compile_path(std::string_view text, const ExpressionCompiler& compiler);
// {a: …, b: …} and […] that are no operator calls.
Result<ExpressionPtr> compile_object(bson::View spec, const ExpressionCompiler& compiler);
Result<ExpressionPtr> compile_array(bson::View spec, const ExpressionCompiler& compiler);

// Values at a dotted path as aggregation sees them: arrays map, what is missing is dropped, numbers
// are names.
bson::Value value_at(bson::ValueView value, std::span<const std::string> components);

}  // namespace restitch::query
