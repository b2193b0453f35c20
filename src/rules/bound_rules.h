#pragma once

#include <optional>
#include <vector>

#include "rules/expression/bound_expression.h"
#include "rules/expression/query_maker.h"
#include "rules/role_program.h"

namespace restitch::rules {

// The rules of a namespace together with one request. Decisions are made synchronously; when one
// needs the result of a function, has_pending() is true afterwards, the decision means nothing, and
// it has to be made again after resolve(). Not thread-safe; rules and context outlive it.
class BoundRules {
 public:
  BoundRules(const CompiledRules& rules, const EvaluationContext& context)
      : rules_(rules),
        context_(context),
        functions_(context),
        expressions_(rules.expression_count()) {}
  BoundRules(const BoundRules&) = delete;
  BoundRules& operator=(const BoundRules&) = delete;

  bool has_pending() const { return functions_.has_pending(); }
  Task<void> resolve() { return functions_.resolve(); }
  // Drops what was remembered about the last document.
  void next_document() { functions_.forget_document(); }

  // An undefined permission is false.
  Truth evaluate(const Permission& permission, const Documents& documents);
  bool holds(const Permission& permission, const Documents& documents) {
    return evaluate(permission, documents) == Truth::kTrue;
  }
  // For stored documents; an undefined permission gives none.
  Pushed push_down(const Permission& permission);
  // Whether it holds whatever the document is.
  bool holds_always(const Permission& permission);
  // Whether there may be a document for which it holds.
  bool may_hold(const Permission& permission);

  // The first role that applies; null if none does.
  const RoleProgram* role_of(const Documents& documents);

  const CompiledRules& rules() const { return rules_; }
  const EvaluationContext& context() const { return context_; }
  FunctionResults& functions() { return functions_; }

 private:
  BoundExpression& bound(const Permission& permission);

  const CompiledRules& rules_;
  const EvaluationContext& context_;
  FunctionResults functions_;
  std::vector<std::optional<BoundExpression>> expressions_;
};

}  // namespace restitch::rules
