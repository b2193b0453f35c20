#pragma once

#include "auth/auth_service.h"
#include "deployment/deployed_app.h"
#include "deployment/endpoint_table.h"
#include "net/http.h"
#include "rules/context.h"
#include "runtime/task.h"

namespace restitch::api::endpoints {

// Who calls the endpoint (spec: functions §8.3): the system when the function does not run as its
// caller; else the user of the bearer's token, or of credentials in the headers or in a JSON body.
// Errors: kInvalidArgument and kMissingParameter for a request that names nobody or half a
// credential, kInvalidSession for one that fits no user.
Task<rules::User> identify_caller(auth::AuthService& auth, const deployment::DeployedApp& app,
                                  const deployment::Endpoint& endpoint,
                                  const net::HttpRequest& request,
                                  std::string client_address);

}  // namespace restitch::api::endpoints
