#pragma once

#include <string>

#include "api/client/request_context.h"
#include "bson/document.h"
#include "rules/context.h"

namespace restitch::api::client {

// A call of a function, or of an action of a service, as clients send it (spec: client-api §12).
struct FunctionCall {
  std::string name, service;
  bson::Document arguments;  // array
};

// kBadRequest when the body has not the form of a call.
Result<FunctionCall> parse_call(bson::View body);

// What rules and functions may know of the request: without credentials.
rules::RequestInfo request_info(const RequestContext& context, const FunctionCall& call);

}  // namespace restitch::api::client
