#pragma once

#include <string>
#include <string_view>

#include "bson/document.h"
#include "deployment/deployed_app.h"
#include "net/http.h"

namespace restitch::api {

// Whether functions and rules see the Authorization header: a client's token is nobody's business
// behind the client API, an endpoint's caller may mean it for the function.
enum class Authorization : std::uint8_t { kHidden, kShown };

// Canonical name ("Content-Type") to array of values, in order of first appearance.
bson::Document header_document(const net::HttpRequest& request, Authorization authorization);

// Without the pairs whose key is `secret` or a credential of the client API.
std::string public_query(std::string_view query);

// Where the log entry of a request is shown; the `link` of errors.
std::string logs_link(const std::string& base_url, const deployment::DeployedApp& app,
                      const std::string& request_id);

}  // namespace restitch::api
