#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "bson/document.h"
#include "runtime/task.h"

namespace restitch::rules {

// An end user as rules, functions and tokens see one (spec: functions §3.2).
struct User {
  std::string id;               // 24 hex digits; "" for the system user
  std::string type = "normal";  // normal, server, system
  bson::Document data;          // merged metadata of the identities
  bson::Document custom_data;   // as of the access token; {} when none
  bson::Document identities;    // array of {id, provider_type, data}
};

// %%request and context.request (spec: rules §5.2, functions §3.3).
struct RequestInfo {
  std::string remote_ip;
  std::string http_method, webhook_url, raw_query_string, referrer, user_agent;
  bson::Document headers;  // canonical name to array of strings
  std::string service, action;

  bson::Document to_document() const;
};

struct EvaluationContext;

// Calls a function of the app from an expression; functions/ implements it and the composition
// wires it.
class FunctionCaller {
 public:
  virtual ~FunctionCaller() = default;
  // `arguments` is an array. Errors are those of a client's call.
  virtual Task<bson::Value> call_for_rule(std::string_view name, bson::Document arguments,
                                          const EvaluationContext& context) = 0;
};

// What an expression may refer to besides the document. Kept alive by the request for its whole
// duration.
struct EvaluationContext {
  const User& user;
  const bson::Document& request;  // RequestInfo::to_document()
  const bson::Document& values;   // name to value, secrets resolved
  const std::string& environment_tag;
  const bson::Document& environment_values;
  FunctionCaller* functions = nullptr;
  std::string_view request_id;
};

}  // namespace restitch::rules
