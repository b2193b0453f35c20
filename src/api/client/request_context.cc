#include "api/client/request_context.h"

#include "bson/extended_json.h"

namespace restitch::api::client {

Reply Reply::of(bson::View document, int status) { return {status, bson::to_json(document)}; }

Result<bson::Document> json_body(const net::HttpRequest& request) {
  if (request.body().find_first_not_of(" \t\r\n") == std::string_view::npos)
    return bson::Document();
  auto body = bson::parse_json_document(request.body());
  if (!body)
    return Error(ErrorCode::kBadRequest,
                 "invalid JSON in the request body: " + body.error().message());
  return body;
}

std::string_view bearer_token(const net::HttpRequest& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view header = request.header("Authorization");
  return header.starts_with(kScheme) ? header.substr(kScheme.size()) : std::string_view();
}

}  // namespace restitch::api::client
