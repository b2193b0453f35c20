#pragma once

#include <memory>
#include <optional>
#include <string>

#include "rules/expression.h"
#include "rules/expression/tree.h"

namespace restitch::rules {

// The implementation behind Expression; its program can be bound to a request
// (expression/bound_expression.h).
class CompiledExpression : public Expression {
 public:
  explicit CompiledExpression(ExpressionProgram program) : program_(std::move(program)) {}

  const ExpressionProgram& program() const { return program_; }

  bool needs_document() const override { return program_.root.needs_document; }
  bool calls_functions() const override { return program_.root.calls_functions; }
  std::optional<bool> constant() const override;
  bool is_literally_true() const override { return program_.is_literally_true; }
  bool evaluate(const EvaluationContext& context, const Documents& documents,
                bool* failed) const override;
  Task<bool> evaluate_async(const EvaluationContext& context,
                            const Documents& documents) const override;
  bson::Document to_query(const EvaluationContext& context, bool* exact) const override;

 private:
  ExpressionProgram program_;
};

// Expression::compile with the implementing type.
std::shared_ptr<const CompiledExpression> compile_expression(bson::ValueView expression,
                                                             Place place, const std::string& file,
                                                             const std::string& pointer,
                                                             app::Findings& findings);

}  // namespace restitch::rules
