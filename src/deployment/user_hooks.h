#pragma once

#include "auth/auth_service.h"
#include "deployment/app_store.h"
#include "deployment/deployed_app.h"

namespace restitch::deployment {

// The part of a deployed app that its users' sign-in needs: providers, keys, and the hooks for
// custom user data, the user creation function and the functions that confirm, reset and sign in
// (spec: client-api §7.2, §9.3, §11).
std::shared_ptr<auth::AppAuth> make_app_auth(const app::Config& config, const AppIdentity& identity,
                                             const std::map<std::string, std::string>& secrets);
void attach_user_hooks(auth::AppAuth& auth, const app::Config& config,
                       std::shared_ptr<rules::DataAccess> data,
                       std::shared_ptr<functions::FunctionService> functions);

}  // namespace restitch::deployment
