#pragma once

#include <string>
#include <vector>

#include "rules/explain/secret_mask.h"
#include "rules/expression/bound_expression.h"

namespace restitch::rules {

// Says in words why a bound expression has the truth that it has for certain documents: by asking
// the same expression for its parts. Calls of functions whose results are not there are not made.
class ReasonFinder {
 public:
  // All outlive the finder; `functions` are those of the expression.
  ReasonFinder(BoundExpression& bound, FunctionResults& functions, const SecretMask& mask)
      : bound_(bound), functions_(functions), mask_(mask) {}

  // The innermost part that decided, with the values it compared, e.g.
  // `owner: "u2" is not "%%user.id" ("u1")`.
  std::string why(const Documents& documents);
  // The truth of each of parts_of().
  std::vector<Truth> parts(const Documents& documents);

 private:
  std::string why(const ExpressionNode& node, const Documents& documents);
  std::string why_joined(const ExpressionNode& node, const Documents& documents, Truth truth);
  std::string why_compared(const ExpressionNode& node, const Documents& documents, Truth truth);
  std::string right_text(const ExpressionNode& node, const Resolved& right) const;
  std::string call_text(const Operand& call, const Documents& documents);

  BoundExpression& bound_;
  FunctionResults& functions_;
  const SecretMask& mask_;
};

// What an expression consists of on its outermost level; empty when it is of one piece.
std::vector<const ExpressionNode*> parts_of(const ExpressionProgram& program);

}  // namespace restitch::rules
