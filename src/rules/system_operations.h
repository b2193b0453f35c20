#pragma once

#include "bson/document.h"
#include "datasource/client.h"
#include "rules/operation.h"

namespace restitch::rules {

// An operation of the system user: the MongoDB command it stands for, without rules (spec: rules
// §1). An aggregation gives the first `limit` documents, which must be > 0.
Task<bson::Value> run_operation_as_system(datasource::DataSource& source, Operation operation,
                                          datasource::CallOptions call);

}  // namespace restitch::rules
