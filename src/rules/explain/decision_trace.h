#pragma once

#include <string>
#include <vector>

#include "rules/bound_rules.h"
#include "rules/explain/permission_index.h"
#include "rules/explain/secret_mask.h"

namespace restitch::rules {

// One answer of the rules on the way to a decision.
struct TracedAnswer {
  const NamedPermission* permission = nullptr;
  Truth truth = Truth::kFalse;
  std::string reason;
  std::vector<Truth> parts;       // of the expression's outermost level; see parts_of()
  const void* current = nullptr;  // where the values of %%this and %%prev lie; null without
  const void* previous = nullptr;
};

// Writes down what a request's rules answer, with the reasons, in the order in which the code that
// decides asks. Observes the rules as long as it lives; they and the index outlive it.
class DecisionTrace : public EvaluationObserver {
 public:
  DecisionTrace(BoundRules& rules, const PermissionIndex& index, const SecretMask& mask);
  ~DecisionTrace() override;
  DecisionTrace(const DecisionTrace&) = delete;
  DecisionTrace& operator=(const DecisionTrace&) = delete;

  void on_evaluated(const Permission& permission, const Documents& documents, Truth truth) override;
  void on_retry() override {
    if (!keeps_on_retry_) answers_.clear();
  }
  // For code that asks again only for what it has not been told.
  void set_keeps_on_retry(bool keeps) { keeps_on_retry_ = keeps; }

  const std::vector<TracedAnswer>& answers() const { return answers_; }
  void clear() { answers_.clear(); }
  // The last answer of the permission of that name, e.g. "read"; null if it was not asked.
  const TracedAnswer* last(std::string_view name) const;

 private:
  BoundRules& rules_;
  const PermissionIndex& index_;
  const SecretMask& mask_;
  std::vector<TracedAnswer> answers_;
  bool keeps_on_retry_ = false;
};

}  // namespace restitch::rules
