#include "api/endpoints/reply.h"

#include <algorithm>
#include <array>

#include "api/lower_case.h"
#include "bson/extended_json.h"
#include "bson/plain_json.h"

namespace restitch::api::endpoints {
namespace {

// What belongs to the connection is not the function's.
constexpr std::array<std::string_view, 7> kConnectionHeaders{
    "content-length", "transfer-encoding", "connection", "keep-alive",
    "date",           "upgrade",           "trailer"};

bool is_token(std::string_view name) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kMarks.find(c) != std::string_view::npos;
  });
}

void copy_headers(bson::View headers, net::HttpResponse& response) {
  for (const bson::Element& header : headers) {
    const std::string folded = lower_case(header.name);
    const bool is_ours = std::find(kConnectionHeaders.begin(), kConnectionHeaders.end(), folded) !=
                         kConnectionHeaders.end();
    if (is_ours || !is_token(header.name)) continue;
    for (const bson::Element& value : header.value.as_array().value_or(bson::View())) {
      response.set(std::string(header.name), std::string(value.value.as_string().value_or("")));
    }
  }
}

bool has_header(const net::HttpResponse& response, std::string_view name) {
  return std::any_of(response.headers.begin(), response.headers.end(),
                     [&](const auto& header) { return lower_case(header.first) == name; });
}

bool wants_ejson(const deployment::Endpoint& endpoint, const net::HttpRequest& request) {
  const std::string accept = lower_case(request.header("Accept"));
  if (accept.find("application/ejson") != std::string::npos) return true;
  if (accept.find("application/json") != std::string::npos) return false;
  return endpoint.returns_ejson;
}

std::string result_text(bson::ValueView result, bool as_ejson) {
  if (result.is_missing() || result.type() == bson::Type::kUndefined) return "null";
  return as_ejson ? bson::to_json(result) : bson::to_plain_json(result);
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

net::HttpResponse reply_of(const deployment::Endpoint& endpoint, const net::HttpRequest& request,
                           const functions::CallOutcome& outcome) {
  const bson::View made = outcome.response;
  const bson::View headers = made["headers"].as_object().value_or(bson::View());
  const bson::ValueView body = made["body"];
  const auto status = made["statusCode"].as_integer();
  const bool is_touched = status || !headers.empty() || body.type() == bson::Type::kBinary;
  const bool as_ejson = wants_ejson(endpoint, request);

  net::HttpResponse response;
  copy_headers(headers, response);
  response.status = static_cast<int>(status.value_or(200));
  if (body.type() == bson::Type::kBinary) {
    response.body = std::string(body.get_binary().bytes);
  } else if (endpoint.respond_result) {
    response.body = result_text(outcome.value.view(), as_ejson);
  } else if (!is_touched) {
    response.status = 204;
  }
  // An interim status cannot be the last word.
  if (response.status < 200) response.status = 200;
  if (has_no_body(response.status)) response.body.clear();
  if (!response.body.empty() && !has_header(response, "content-type")) {
    response.set("Content-Type", as_ejson ? "application/ejson" : "application/json");
  }
  return response;
}

}  // namespace restitch::api::endpoints
