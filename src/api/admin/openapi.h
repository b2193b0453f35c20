#pragma once

#include <string>
#include <vector>

#include "api/admin/admin_api.h"
#include "api/admin/openapi_notes.h"

namespace restitch::api::admin {

// The Admin API as OpenAPI 3.0 describes one: an operation for each route, with what its note says.
bson::Document openapi_document(const std::vector<Route>& routes, const std::string& base_url);

// The note of a route; null when it has none.
const OperationNote* note_of(const Route& route);
// The path of a note as the route has it.
std::string path_of(const OperationNote& note);

}  // namespace restitch::api::admin
