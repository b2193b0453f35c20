#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"

namespace restitch::query {

// Values of a command's `let`: each an expression over no document, which may name those before it.
// Reads what else stands in the context ($$NOW). Errors: 4890500 for a field path, and those of
// expressions.
Result<bson::Document> evaluate_let(bson::View let, const CommandContext& context);

}  // namespace restitch::query
