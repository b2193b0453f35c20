#pragma once

#include "bson/document.h"
#include "rules/user_request.h"

namespace restitch::rules {

// The writing actions under rules (spec: rules §6): decided per document on what is stored and what
// would be stored, all or nothing. `request` must live until the Task has ended.

Task<bson::Value> insert_as_user(UserRequest& request);  // kInsertOne, kInsertMany
Task<bson::Value> update_as_user(UserRequest& request);  // kUpdateOne, kUpdateMany, kReplaceOne
Task<bson::Value> delete_as_user(UserRequest& request);  // kDeleteOne, kDeleteMany
Task<bson::Value> find_and_modify_as_user(UserRequest& request);

// Whether the source can be left to update, or delete, whatever matches: no document has to be
// looked at.
bool leaves_write_to_source(const UserRequest& request, const WriteReach& reach);

}  // namespace restitch::rules
