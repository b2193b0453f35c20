#pragma once

#include <string>

#include "bson/document.h"
#include "rules/expression/tree.h"

namespace restitch::rules {

// Parsed expressions as one would write them in a rule. What the parser has simplified is written
// in its simple form.
bson::Value to_source(const Operand& operand);
bson::Value to_source(const ExpressionNode& node);

// A left side: "owner" for %%root.owner, else the expansion.
std::string left_text(const Reference& reference);

}  // namespace restitch::rules
