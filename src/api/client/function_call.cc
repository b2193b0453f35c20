#include "api/client/function_call.h"

#include <utility>
#include <vector>

namespace restitch::api::client {
namespace {

// "content-type" as "Content-Type".
std::string canonical_header_name(std::string_view name) {
  std::string out(name);
  bool start = true;
  for (char& c : out) {
    if (start && c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!start && c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    start = c == '-';
  }
  return out;
}

// Name to array of values, in order of first appearance. The bearer's token is nobody's business
// behind this door.
bson::Document header_document(const net::HttpRequest& request) {
  std::vector<std::pair<std::string, std::vector<std::string>>> grouped;
  request.for_each_header([&grouped](std::string_view name, std::string_view value) {
    const std::string canonical = canonical_header_name(name);
    for (auto& [known, values] : grouped) {
      if (known == canonical) return values.emplace_back(value), void();
    }
    grouped.emplace_back(canonical, std::vector<std::string>{std::string(value)});
  });
  bson::Builder out;
  for (const auto& [name, values] : grouped) {
    if (name == "Authorization") continue;
    out.open_array(name);
    for (const std::string& value : values) out.push(value);
    out.close();
  }
  return std::move(out).finish();
}

// Without the pairs whose key is `secret` or a credential of this API.
std::string public_query(std::string_view query) {
  std::string out;
  while (!query.empty()) {
    const std::size_t amp = query.find('&');
    const std::string_view pair = query.substr(0, amp);
    query = amp == std::string_view::npos ? std::string_view() : query.substr(amp + 1);
    const std::string_view key = pair.substr(0, pair.find('='));
    if (key == "secret" || key == "baas_at" || key == "stitch_at") continue;
    if (!out.empty()) out.push_back('&');
    out.append(pair);
  }
  return out;
}

}  // namespace

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
  info.remote_ip = context.http.remote_ip();
  info.raw_query_string = public_query(context.http.query());
  info.referrer = std::string(context.http.header("Referer"));
  info.user_agent = std::string(context.http.header("User-Agent"));
  info.headers = header_document(context.http);
  info.service = call.service;
  if (!call.service.empty()) info.action = call.name;
  return info;
}

}  // namespace restitch::api::client
