#pragma once

#include "deployment/endpoint_table.h"
#include "functions/function_service.h"
#include "net/http.h"

namespace restitch::api::endpoints {

// The answer that the function's response object and result make (spec: functions §8.5).
net::HttpResponse reply_of(const deployment::Endpoint& endpoint, const net::HttpRequest& request,
                           const functions::CallOutcome& outcome);

}  // namespace restitch::api::endpoints
