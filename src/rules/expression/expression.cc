#include "rules/expression.h"

#include <utility>

#include "rules/expression/bound_expression.h"
#include "rules/expression/compiled.h"
#include "rules/expression/parser.h"

namespace restitch::rules {

std::shared_ptr<const CompiledExpression> compile_expression(bson::ValueView expression,
                                                             Place place, const std::string& file,
                                                             const std::string& pointer,
                                                             app::Findings& findings) {
  auto program = parse_expression(expression, pointer, {place, file, findings});
  if (!program) return nullptr;
  return std::make_shared<const CompiledExpression>(std::move(*program));
}

std::shared_ptr<const Expression> Expression::compile(const bson::Value& expression, Place place,
                                                      const std::string& file,
                                                      const std::string& pointer,
                                                      app::Findings& findings) {
  return compile_expression(expression, place, file, pointer, findings);
}

std::optional<bool> CompiledExpression::constant() const {
  if (program_.root.kind != ExpressionNode::Kind::kConstant) return std::nullopt;
  return program_.root.constant;
}

bool CompiledExpression::evaluate(const EvaluationContext& context, const Documents& documents,
                                  bool* failed) const {
  const Truth truth = BoundExpression(program_, context, nullptr).evaluate(documents);
  if (failed != nullptr) *failed = truth == Truth::kFailed;
  return truth == Truth::kTrue;
}

Task<bool> CompiledExpression::evaluate_async(const EvaluationContext& context,
                                              const Documents& documents) const {
  FunctionResults functions(context);
  BoundExpression bound(program_, context, &functions);
  Truth truth = bound.evaluate(documents);
  while (truth == Truth::kPending) {
    RESTITCH_CO_CHECK(co_await functions.resolve());
    truth = bound.evaluate(documents);
  }
  co_return truth == Truth::kTrue;
}

bson::Document CompiledExpression::to_query(const EvaluationContext& context, bool* exact) const {
  bool is_exact = false;
  bson::Document query = BoundExpression(program_, context, nullptr).to_query(&is_exact);
  if (exact != nullptr) *exact = is_exact;
  return query;
}

}  // namespace restitch::rules
