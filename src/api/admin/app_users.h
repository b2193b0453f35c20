#pragma once

#include <string>

#include "api/admin/admin_api.h"
#include "deployment/deployed_app.h"
#include "rules/context.h"

namespace restitch::api::admin {

// A user of the app as rules and functions would see this one now. kUserNotFound.
Task<rules::User> find_app_user(AdminApi& api, const deployment::DeployedApp& app,
                                std::string user_id);

}  // namespace restitch::api::admin
