#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bson/document.h"
#include "rules/bound_rules.h"

namespace restitch::rules {

// Write decisions for one document (spec: rules §3.2, 5.3). They compare the documents before and
// after, so that it does not matter by which operators a change was made; what did not change needs
// no permission.

bool may_update(BoundRules& rules, const RoleProgram& role, bson::View before, bson::View after);
bool may_insert(BoundRules& rules, const RoleProgram& role, bson::View document);
bool may_delete(BoundRules& rules, const RoleProgram& role, bson::View document);

// For explanations: the top-level fields whose change the permissions by field refuse, each asked
// for by itself. An insert has no document before, a deletion none after.
std::vector<std::string> refused_fields(BoundRules& rules, const RoleProgram& role,
                                        std::optional<bson::View> before,
                                        std::optional<bson::View> after);

}  // namespace restitch::rules
