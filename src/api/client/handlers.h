#pragma once

#include <vector>

#include "api/client/client_api.h"

namespace restitch::api::client {

// Each family of routes, as the rows of the route table.
std::vector<Route> location_routes();
std::vector<Route> auth_routes();
std::vector<Route> api_key_routes();
std::vector<Route> function_routes();

}  // namespace restitch::api::client
