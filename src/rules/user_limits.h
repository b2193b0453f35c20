#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "rules/operation.h"

namespace restitch::rules {

// What end users may not use: query operators, aggregation stages and operators, options (spec:
// rules §6.1). Errors are kInvalidArgument and name the culprit.

Status check_user_query(bson::View query, bool allow_regex);
// A pipeline of an aggregation or of an update, or an expression of a projection.
Status check_user_pipeline(bson::View pipeline, bool allow_regex);
Status check_user_expressions(bson::View specification);
Status check_user_update(bson::ValueView update, bool allow_regex);
Status check_user_options(bson::View options);
// The stages that act across documents on behalf of the system (spec: rules §6.2).
bool is_search_stage(std::string_view name);

// All of the above for one operation; models of a bulk write are checked when they are turned into
// operations.
Status check_user_operation(const Operation& operation, bool allow_regex);

}  // namespace restitch::rules
