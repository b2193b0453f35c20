#pragma once

#include <string>

#include "base/result.h"
#include "deployment/endpoint_table.h"
#include "net/http.h"

namespace restitch::api::endpoints {

// Whether the request proves what the endpoint asks for (spec: functions §8.4): the secret in its
// query, or "sha256=<hex HMAC of the body as it came>" in Endpoint-Signature or X-Hook-Signature;
// GitHub and Twilio sign in their own headers. `base_url` is the one by which the client came.
// kAuthFailed otherwise; the reason is the error's detail.
Status check_validation(const deployment::Endpoint& endpoint, const net::HttpRequest& request,
                        const std::string& base_url);

}  // namespace restitch::api::endpoints
