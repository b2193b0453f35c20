#pragma once

#include <memory>
#include <string>
#include <vector>

#include "auth/auth_service.h"
#include "rules/context.h"
#include "runtime/task.h"

namespace restitch::deployment {

// The user as rules and functions see one.
rules::User to_rules_user(const auth::CachedUser& user, bson::Document custom_data);

// A user of the app as rules and functions would see this one now. kUserNotFound.
Task<rules::User> look_up_user(auth::AuthService& auth, std::shared_ptr<const auth::AppAuth> app,
                               std::string user_id);

// The devices of users that get messages of a push service, as functions::PushLookup says.
Task<bson::Value> look_up_devices(auth::AuthService& auth, bson::ObjectId app_id,
                                  std::string service, std::vector<std::string> user_ids);

}  // namespace restitch::deployment
