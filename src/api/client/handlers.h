#pragma once

#include <vector>

#include "api/client/client_api.h"

namespace restitch::api::client {

// Each family of routes, as the rows of the route table.
std::vector<Route> location_routes();
std::vector<Route> auth_routes();
std::vector<Route> oauth_routes();
std::vector<Route> api_key_routes();
std::vector<Route> function_routes();
std::vector<Route> push_routes();
std::vector<Route> watch_routes();

// What an identity provider's page sends back with the browser, as a query; the state among it.
std::string_view oauth_answer(const net::HttpRequest& http);
std::string oauth_state(const net::HttpRequest& http);

// The user of the access token. A token with a bad signature is answered like an expired one,
// because clients then fetch a new one (spec: client-api §4.5).
Task<auth::AuthenticatedUser> bearer_of(ClientApi& api, const RequestContext& context);
// The same for a token that came another way.
Task<auth::AuthenticatedUser> bearer_of(ClientApi& api, const RequestContext& context,
                                        std::string token);

}  // namespace restitch::api::client
