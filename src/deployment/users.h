#pragma once

#include "auth/user_cache.h"
#include "rules/context.h"

namespace restitch::deployment {

// The user as rules and functions see one.
rules::User to_rules_user(const auth::CachedUser& user, bson::Document custom_data);

}  // namespace restitch::deployment
