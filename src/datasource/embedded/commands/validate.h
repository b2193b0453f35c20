#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/operation.h"

namespace restitch::datasource::embedded {

// The command `validate` (spec: mongodb-engine §5): reads every record and every index entry of one
// moment and compares them both ways.
Result<bson::Document> validate_collection(Operation& operation);

}  // namespace restitch::datasource::embedded
