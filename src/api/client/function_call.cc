#include "api/client/function_call.h"

#include "api/request_values.h"

namespace restitch::api::client {
Result<FunctionCall> parse_call(bson::View body) {
  const Error invalid(ErrorCode::kBadRequest, "invalid function call request");
  const auto name = body["name"].as_string();
  const bson::ValueView service = body["service"];
  const bson::ValueView arguments = body["arguments"];
  if (!name || name->empty()) return invalid;
  if (!service.is_nullish() && service.type() != bson::Type::kString) return invalid;
  if (!arguments.is_nullish() && arguments.type() != bson::Type::kArray) return invalid;
  FunctionCall call;
  call.name = std::string(*name);
  call.service = std::string(service.as_string().value_or(""));
  if (const auto array = arguments.as_array()) call.arguments = bson::Document(*array);
  return call;
}

rules::RequestInfo request_info(const RequestContext& context, const FunctionCall& call) {
  rules::RequestInfo info;
  info.remote_ip = context.client_address;
  info.raw_query_string = public_query(context.http.query());
  info.referrer = std::string(context.http.header("Referer"));
  info.user_agent = std::string(context.http.header("User-Agent"));
  info.headers = header_document(context.http, Authorization::kHidden);
  info.service = call.service;
  if (!call.service.empty()) info.action = call.name;
  return info;
}

}  // namespace restitch::api::client
