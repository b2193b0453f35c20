#include "rules/bound_rules.h"

namespace restitch::rules {

BoundExpression& BoundRules::bound(const Permission& permission) {
  std::optional<BoundExpression>& expression = expressions_[permission.expression];
  if (!expression) {
    expression.emplace(rules_.expression(permission.expression), context_, &functions_);
  }
  return *expression;
}

Truth BoundRules::evaluate(const Permission& permission, const Documents& documents) {
  const Truth truth = decide(permission, documents);
  if (observer_ != nullptr) [[unlikely]] {
    observer_->on_evaluated(permission, documents, truth);
  }
  return truth;
}

Truth BoundRules::decide(const Permission& permission, const Documents& documents) {
  switch (permission.kind) {
    case Permission::Kind::kTrue:
      return Truth::kTrue;
    case Permission::Kind::kExpression:
      return bound(permission).evaluate(documents);
    default:
      return Truth::kFalse;
  }
}

Pushed BoundRules::push_down(const Permission& permission) {
  switch (permission.kind) {
    case Permission::Kind::kTrue:
      return Pushed::all(true);
    case Permission::Kind::kExpression:
      return QueryMaker(bound(permission)).make();
    default:
      return Pushed::none();
  }
}

bool BoundRules::holds_always(const Permission& permission) {
  if (permission.kind != Permission::Kind::kExpression) {
    return permission.kind == Permission::Kind::kTrue;
  }
  if (rules_.expression(permission.expression).root.needs_document) return false;
  return holds(permission, {});
}

bool BoundRules::may_hold(const Permission& permission) {
  if (permission.kind != Permission::Kind::kExpression) {
    return permission.kind == Permission::Kind::kTrue;
  }
  if (rules_.expression(permission.expression).root.needs_document) return true;
  const Truth truth = evaluate(permission, {});
  return truth == Truth::kTrue || truth == Truth::kPending;
}

const RoleProgram* BoundRules::role_of(const Documents& documents) {
  for (const RoleProgram& role : rules_.roles()) {
    const Truth truth = evaluate(role.apply_when, documents);
    if (truth == Truth::kTrue) return &role;
    if (truth == Truth::kPending) return nullptr;
  }
  return nullptr;
}

}  // namespace restitch::rules
