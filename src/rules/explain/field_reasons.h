#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bson/document.h"
#include "rules/explain/decision_trace.h"
#include "rules/explain/explanation.h"

namespace restitch::rules {

// Why each field of `whole` is missing in `part`, which the rules have let through: by the answers
// that they gave about it.
std::vector<FieldReason> withheld_fields(const DecisionTrace& trace, bson::View whole,
                                         bson::View part);

// The paths that a projection has taken out.
std::vector<std::string> missing_paths(bson::View whole, bson::View part);

// Why the change of each of the named top-level fields is refused.
std::vector<FieldReason> unwritable_fields(const DecisionTrace& trace,
                                           const std::vector<std::string>& names,
                                           std::optional<bson::View> before,
                                           std::optional<bson::View> after);

}  // namespace restitch::rules
