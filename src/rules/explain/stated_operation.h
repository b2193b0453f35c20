#pragma once

#include <span>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"
#include "rules/context.h"
#include "rules/operation.h"

namespace restitch::rules {

// Operations and users as administrators and rule tests write them down. Errors are
// kInvalidArgument or kMissingParameter and name the member.

// {"operation", "data_source", "database", "collection", and as the operation needs them "query",
// "projection", "sort", "skip", "limit", "document", "documents", "update", "upsert",
// "array_filters", "pipeline", "key", "operations", "ordered"}. Operations are called as clients and
// functions call them; "insert", "update" and "delete" are the forms for many. Members besides these
// must be among `others`.
Result<Operation> parse_stated_operation(bson::View stated,
                                         std::span<const std::string_view> others);

// {"id", "type"?, "data"?, "custom_data"?, "identities"?}.
Result<User> parse_stated_user(bson::View stated);

// kInvalidArgument for the first member that is not among the names.
Status check_members(bson::View object, std::span<const std::string_view> names);

}  // namespace restitch::rules
