#pragma once

#include "auth/auth_service.h"
#include "deployment/app_store.h"
#include "deployment/deployed_app.h"

namespace restitch::deployment {

// The part of a deployed app that its users' sign-in needs: providers, keys, and the hooks for
// custom user data and the user creation function (spec: client-api §11).
std::shared_ptr<auth::AppAuth> make_app_auth(const app::Config& config,
                                             const AppIdentity& identity);
void attach_user_hooks(auth::AppAuth& auth, const app::Config& config,
                       std::shared_ptr<rules::DataAccess> data,
                       std::shared_ptr<functions::FunctionService> functions);

}  // namespace restitch::deployment
