#include <chrono>

#include "api/client/handlers.h"
#include "bson/extended_json.h"
#include "deployment/users.h"
#include "rules/operation.h"

namespace restitch::api::client {
namespace {

constexpr std::chrono::seconds kRequestTime{300};

struct FunctionCall {
  std::string name, service;
  bson::Document arguments;  // array
};

Result<FunctionCall> parse_call(const net::HttpRequest& http) {
  const Error invalid(ErrorCode::kBadRequest, "invalid function call request");
  const auto parsed = json_body(http);
  if (!parsed)
    return Error(invalid.code(), invalid.message()).with_detail(parsed.error().message());
  const bson::Document& body = *parsed;
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

Task<bson::Value> call_function(RequestContext& context, FunctionCall call, rules::User user) {
  functions::CallRequest request;
  request.request = request_info(context, call);
  request.function = std::move(call.name);
  request.arguments = std::move(call.arguments);
  request.user = std::move(user);
  request.request_id = context.request_id;
  request.from_client = true;
  RESTITCH_CO_TRY(functions::CallOutcome outcome,
                  co_await context.app->functions->call(std::move(request)));
  co_return std::move(outcome.value);
}

// The other actions belong to functions (spec: client-api §12.2).
bool is_client_action(rules::Action action) {
  return action != rules::Action::kDistinct && action != rules::Action::kReplaceOne &&
         action != rules::Action::kBulkWrite;
}

Task<bson::Value> call_service(RequestContext& context, FunctionCall call, rules::User user) {
  const deployment::DeployedApp& app = *context.app;
  if (!app.data->has_source(call.service)) {
    co_return Error(ErrorCode::kServiceNotFound, "service not found: '" + call.service + "'");
  }
  if (call.name == "watch") {
    co_return Error(ErrorCode::kUnsupported, "this server does not stream changes yet");
  }
  const auto action = rules::action_from_name(call.name);
  if (!action || !is_client_action(*action)) {
    co_return Error(ErrorCode::kServiceCommandNotFound,
                    "command not found: '" + call.name + "' of service '" + call.service + "'");
  }
  const auto argument = call.arguments.view()["0"].as_object();
  if (!argument)
    co_return Error(ErrorCode::kMissingParameter, "the action takes one argument, an object");
  std::string title;
  RESTITCH_CO_TRY(rules::Operation operation,
                  rules::parse_client_operation(*action, call.service, *argument, &title));
  if (!title.empty() && !app.data->rules().resolve_title(call.service, title, &operation.database,
                                                         &operation.collection)) {
    co_return Error(
        ErrorCode::kInvalidArgument,
        "no matching collection found that maps to a table with title \"" + title + "\".");
  }
  const bson::Document request = request_info(context, call).to_document();
  const rules::EvaluationContext evaluation{user,
                                            request,
                                            app.values,
                                            app.environment_tag,
                                            app.environment_values,
                                            app.functions.get(),
                                            context.request_id};
  co_return co_await app.data->run_as_user(std::move(operation), evaluation,
                                           std::chrono::steady_clock::now() + kRequestTime);
}

Task<Reply> call(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(auth::AuthenticatedUser bearer, co_await bearer_of(api, context));
  RESTITCH_CO_TRY(FunctionCall call, parse_call(context.http));
  rules::User user = deployment::to_rules_user(*bearer.user, std::move(bearer.custom_data));
  auto value = call.service.empty() ? call_function(context, std::move(call), std::move(user))
                                    : call_service(context, std::move(call), std::move(user));
  RESTITCH_CO_TRY(const bson::Value result, co_await std::move(value));
  co_return Reply{200,
                  result.is_missing() ? R"({"$undefined":true})" : bson::to_json(result.view())};
}

Task<Reply> stream(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_CHECK(co_await bearer_of(api, context));
  co_return Error(ErrorCode::kUnsupported, "this server does not stream changes yet");
}

Task<Reply> graphql(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_CHECK(co_await bearer_of(api, context));
  co_return Error(ErrorCode::kNotFound, "this server does not offer GraphQL yet");
}

}  // namespace

std::vector<Route> function_routes() {
  return {
      {"POST", PathPattern("/app/{app}/functions/call"), AppFrom::kPath, &call},
      {"GET", PathPattern("/app/{app}/functions/call"), AppFrom::kPath, &stream},
      {"POST", PathPattern("/app/{app}/graphql"), AppFrom::kPath, &graphql},
  };
}

}  // namespace restitch::api::client
