#pragma once

#include "app/config.h"
#include "auth/auth_service.h"

namespace restitch::deployment {

// Has the changes of the app's users stored for its authentication triggers, one document for each
// trigger that is told of them (spec: functions §11.3).
void attach_auth_events(auth::AppAuth& auth, const app::Config& config);

// A user as functions get one in events.
bson::Document user_object(const auth::CachedUser& user);

}  // namespace restitch::deployment
