#include "rules/explain/decision_trace.h"

#include <utility>

#include "rules/explain/reason.h"

namespace restitch::rules {
namespace {

const void* place_of(bson::ValueView value) {
  return value.is_missing() ? nullptr : value.raw().data();
}

std::string reason_of_constant(const Permission& permission) {
  const bool is_true = permission.kind == Permission::Kind::kTrue;
  if (!permission.is_stated)
    return is_true ? "it is not stated, which allows it" : "it is not stated";
  return is_true ? "it is true" : "it is false";
}

}  // namespace

DecisionTrace::DecisionTrace(BoundRules& rules, const PermissionIndex& index,
                             const SecretMask& mask)
    : rules_(rules), index_(index), mask_(mask) {
  rules_.set_observer(this);
}

DecisionTrace::~DecisionTrace() { rules_.set_observer(nullptr); }

void DecisionTrace::on_evaluated(const Permission& permission, const Documents& documents,
                                 Truth truth) {
  if (truth == Truth::kPending) return;
  TracedAnswer answer;
  answer.permission = &index_.of(permission);
  answer.truth = truth;
  answer.current = place_of(documents.current);
  answer.previous = place_of(documents.previous);
  if (permission.kind == Permission::Kind::kExpression) {
    ReasonFinder finder(rules_.bound(permission), rules_.functions(), mask_);
    answer.reason = finder.why(documents);
    answer.parts = finder.parts(documents);
  } else {
    answer.reason = reason_of_constant(permission);
  }
  answers_.push_back(std::move(answer));
}

const TracedAnswer* DecisionTrace::last(std::string_view name) const {
  for (auto it = answers_.rbegin(); it != answers_.rend(); ++it) {
    if (it->permission->name == name) return &*it;
  }
  return nullptr;
}

}  // namespace restitch::rules
