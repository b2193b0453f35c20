#pragma once

#include <optional>
#include <vector>

#include "rules/expression/bound_expression.h"
#include "rules/expression/query_maker.h"
#include "rules/role_program.h"

namespace restitch::rules {

// Sees what rules are asked and what they answer: for explanations. Ordinary requests have none.
class EvaluationObserver {
 public:
  virtual ~EvaluationObserver() = default;
  virtual void on_evaluated(const Permission& permission, const Documents& documents,
                            Truth truth) = 0;
  // What was answered since the last document or call is void: it will be asked again.
  virtual void on_retry() = 0;
};

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
  Task<void> resolve() {
    if (observer_ != nullptr) observer_->on_retry();
    return functions_.resolve();
  }
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

  // Null takes it away. It outlives these rules or is taken away before it ends.
  void set_observer(EvaluationObserver* observer) { observer_ = observer; }
  // The expression of a permission that has one.
  BoundExpression& bound(const Permission& permission);

 private:
  Truth decide(const Permission& permission, const Documents& documents);

  const CompiledRules& rules_;
  const EvaluationContext& context_;
  FunctionResults functions_;
  std::vector<std::optional<BoundExpression>> expressions_;
  EvaluationObserver* observer_ = nullptr;
};

}  // namespace restitch::rules
