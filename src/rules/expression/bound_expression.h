#pragma once

#include <optional>
#include <vector>

#include "bson/document.h"
#include "rules/expression/function_results.h"
#include "rules/expression/resolved.h"
#include "rules/expression/tree.h"

namespace restitch::rules {

// An expression together with one request: everything that does not depend on a document is looked
// up once. Not thread-safe. The program, the context and the results outlive it.
class BoundExpression {
 public:
  // `functions` may be null: calls then fail.
  BoundExpression(const ExpressionProgram& program, const EvaluationContext& context,
                  FunctionResults* functions);

  Truth evaluate(const Documents& documents) { return evaluate(program_->root, documents); }

  // A query that every document satisfies for which the expression is true when both %%root and
  // %%prevRoot are that document; {} when nothing can be said. `exact`: no other document satisfies
  // it.
  bson::Document to_query(bool* exact);

 private:
  friend class QueryMaker;
  friend class ReasonFinder;

  Truth evaluate(const ExpressionNode& node, const Documents& documents);
  Truth compute(const ExpressionNode& node, const Documents& documents);
  Truth all_of(const ExpressionNode& node, const Documents& documents, Truth neutral);
  Truth compare(const ExpressionNode& node, const Documents& documents);
  bool matches(const ExpressionNode& node, const Documents& documents, bson::ValueView right);
  template <typename Test>
  bool any_left(const ExpressionNode& node, const Documents& documents, const Test& test);

  // The right side; fixed ones are kept in slots.
  const Resolved& right_of(const ExpressionNode& node, const Documents& documents,
                           Resolved& scratch);
  Resolved resolve(const Operand& operand, const Documents& documents, bool skip_missing);
  Resolved resolve_reference(const Reference& reference, const Documents& documents);
  Resolved resolve_conversion(const Operand& operand, const Documents& documents);
  Resolved resolve_function(const Operand& operand, const Documents& documents);
  Resolved resolve_composite(const Operand& operand, const Documents& documents, bool skip_missing);

  const ExpressionProgram* program_;
  const EvaluationContext* context_;
  FunctionResults* functions_;
  std::vector<std::optional<Truth>> truths_;    // of nodes that need no document
  std::vector<std::optional<Resolved>> slots_;  // of operands that need none
  std::vector<std::optional<Anchor>> anchors_;  // of left sides that need none
};

}  // namespace restitch::rules
