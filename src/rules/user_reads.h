#pragma once

#include "bson/document.h"
#include "rules/user_request.h"

namespace restitch::rules {

// The reading actions under rules (spec: rules §6). `request` must live until the Task has ended.

Task<bson::Value> find_as_user(UserRequest& request);  // kFind, kFindOne
Task<bson::Value> count_as_user(UserRequest& request);
Task<bson::Value> distinct_as_user(UserRequest& request);
Task<bson::Value> aggregate_as_user(UserRequest& request);

}  // namespace restitch::rules
