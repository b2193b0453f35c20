#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/http.h"

namespace restitch::api {

// Whether a request from this origin may be answered: no Origin header, no list, or an entry of the list
// (scheme, host and port; default ports are equal to none).
bool is_origin_allowed(std::string_view origin, const std::vector<std::string>& allowed);

// The headers that let a browser read the answer.
void add_cors_headers(net::HttpResponse& response, std::string_view origin);

// The answer to a preflight request. Credential headers are never allowed to cross origins (spec: client-api §14).
net::HttpResponse preflight_response(const net::HttpRequest& request);

}  // namespace restitch::api
