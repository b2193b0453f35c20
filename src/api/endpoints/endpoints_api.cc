#include "api/endpoints/endpoints_api.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "api/client_view.h"
#include "api/cors.h"
#include "api/endpoints/caller.h"
#include "api/endpoints/reply.h"
#include "api/endpoints/validation.h"
#include "api/http_error.h"
#include "api/request_values.h"
#include "base/log.h"
#include "bson/extended_json.h"

namespace restitch::api::endpoints {
namespace {

constexpr std::string_view kApp = "/app/";
constexpr std::string_view kClientPrefix = "/api/client/v2.0";
constexpr std::string_view kWebhook = "incoming_webhook";
constexpr std::size_t kMaxLoggedBody = 4096;

// The parts of a path, as views into it. `route` is "" for a webhook.
struct Target {
  std::string_view app, route, service, webhook;
};

std::string_view take_segment(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  const std::string_view segment = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return segment;
}

std::optional<Target> parse_target(std::string_view path) {
  while (path.starts_with("//")) path.remove_prefix(1);
  const bool is_client_path = path.starts_with(kClientPrefix);
  if (is_client_path) path.remove_prefix(kClientPrefix.size());
  if (!path.starts_with(kApp)) return std::nullopt;
  path.remove_prefix(kApp.size());
  Target target;
  target.app = take_segment(path);
  const std::string_view kind = take_segment(path);
  if (kind == "endpoint" && !is_client_path && !path.empty()) {
    target.route = std::string_view(path.data() - 1, path.size() + 1);  // with its slash
    return target;
  }
  if (kind != "service") return std::nullopt;
  target.service = take_segment(path);
  if (take_segment(path) != kWebhook || path.empty()) return std::nullopt;
  target.webhook = path;
  return target;
}

std::string decoded(std::string_view text) {
  const auto parsed = net::parse_query("x=" + std::string(text));
  return parsed.empty() ? std::string(text) : parsed.front().second;
}

// The first value of each name.
bson::Document query_document(const deployment::Endpoint& endpoint,
                              const net::HttpRequest& request) {
  const bool hides_secret = endpoint.validation == app::RequestValidation::kSecretInQuery;
  std::vector<std::string> seen;
  bson::Builder out;
  for (const auto& [name, value] : net::parse_query(request.query())) {
    const bool is_repeated = std::find(seen.begin(), seen.end(), name) != seen.end();
    if (is_repeated || (hides_secret && name == "secret")) continue;
    if (name.find('\0') != std::string::npos) continue;
    out.append(name, value);
    seen.push_back(name);
  }
  return std::move(out).finish();
}

// The body of services that know what they are sent; empty when it is not of that form.
bson::Value parsed_body(const deployment::Endpoint& endpoint, const net::HttpRequest& request) {
  if (endpoint.service_type == "twilio") {
    bson::Builder out;
    for (const auto& [name, value] : net::parse_query(request.body())) {
      if (name.find('\0') == std::string::npos) out.append(name, value);
    }
    return bson::Value::of(std::move(out).finish());
  }
  bson::JsonOptions plain;
  plain.extended = false;
  auto parsed = bson::parse_json_with(request.body(), plain);
  return parsed ? std::move(parsed->value) : bson::Value();
}

// [{query, headers, body}]; a service of another kind gives its webhooks the parsed body.
bson::Document arguments_of(const deployment::Endpoint& endpoint, const net::HttpRequest& request,
                            bson::View headers) {
  bson::Builder out;
  if (endpoint.service_type == "twilio" || endpoint.service_type == "github") {
    out.append("0", parsed_body(endpoint, request));
    return std::move(out).finish();
  }
  out.open_object("0");
  out.append("query", query_document(endpoint, request)).append("headers", headers);
  if (!request.body().empty()) out.append_binary("body", 0, request.body());
  out.close();
  return std::move(out).finish();
}

bool is_credential(std::string_view header) {
  constexpr std::array<std::string_view, 8> kNames{
      "Authorization", "Email",          "Password", "Apikey",
      "Api-Key",       "Jwttokenstring", "Cookie",   "Proxy-Authorization"};
  return std::find(kNames.begin(), kNames.end(), header) != kNames.end();
}

// What the log keeps of the arguments: no credentials, and a long body's beginning.
std::string logged_arguments(const deployment::Endpoint& endpoint, const net::HttpRequest& request,
                             bson::View headers) {
  bson::Builder out;
  out.append("query", query_document(endpoint, request));
  out.open_object("headers");
  for (const bson::Element& header : headers) {
    if (!is_credential(header.name)) out.append(header.name, header.value);
  }
  out.close();
  out.append_binary("body", 0, request.body().substr(0, kMaxLoggedBody));
  const bson::Document document = std::move(out).finish();
  return bson::to_json(document.view());
}

bson::Document log_fields(const deployment::Endpoint& endpoint, const net::HttpRequest& request,
                          bson::View headers) {
  bson::Builder out;
  out.append("request_method", request.method()).append("request_url", request.path());
  if (endpoint.is_webhook) {
    out.append("incoming_webhook_name", endpoint.name).append("service_name", endpoint.service);
  } else {
    out.append("endpoint_route", endpoint.route);
  }
  if (!endpoint.disable_arg_logs) {
    out.append("endpoint_args", logged_arguments(endpoint, request, headers));
  }
  return std::move(out).finish();
}

}  // namespace

// One request on its way.
struct EndpointsApi::Exchange {
  const net::HttpRequest& http;
  std::string request_id, base_url, client_address;
  deployment::DeployedAppPtr app;
  const deployment::Endpoint* endpoint = nullptr;
  bool is_preflight = false;

  std::string link() const { return app ? logs_link(base_url, *app, request_id) : std::string(); }
};

EndpointsApi::EndpointsApi(deployment::AppRegistry& apps, auth::AuthService& auth,
                           std::string public_url, net::AddressSet trusted_proxies)
    : apps_(apps),
      auth_(auth),
      public_url_(std::move(public_url)),
      trusted_proxies_(std::move(trusted_proxies)) {
  while (!public_url_.empty() && public_url_.back() == '/') public_url_.pop_back();
}

bool EndpointsApi::serves(std::string_view path) { return parse_target(path).has_value(); }

asio::awaitable<net::HttpResponse> EndpointsApi::handle(const net::HttpRequest& request) {
  ClientView view = client_view(request, trusted_proxies_, public_url_);
  Exchange exchange{request,
                    bson::ObjectId::generate().to_hex(),
                    std::move(view.base_url),
                    std::move(view.address),
                    nullptr,
                    nullptr,
                    false};
  exchange.is_preflight =
      request.method() == "OPTIONS" && !request.header("Access-Control-Request-Method").empty();
  auto outcome = co_await dispatch(exchange);
  net::HttpResponse response;
  bool is_origin_refused = false;
  if (outcome) {
    response = std::move(*outcome);
  } else {
    const Error& error = outcome.error();
    is_origin_refused = error.code() == ErrorCode::kOriginNotAllowed;
    response = error_response(error, exchange.link());
    if (!error.detail().empty()) {
      RESTITCH_LOG(kInfo, kApi, 4011, "Endpoint request refused", {"request", exchange.request_id},
                   {"error", error.message()}, {"detail", error.detail()});
    }
  }
  response.set("x-appservices-request-id", exchange.request_id);
  // An endpoint that answers browsers in its own way is left to it.
  const bool has_own_answer =
      std::any_of(response.headers.begin(), response.headers.end(),
                  [](const auto& header) { return header.first == "Access-Control-Allow-Origin"; });
  if (!has_own_answer) {
    add_cors_headers(response, is_origin_refused ? std::string_view() : request.header("Origin"));
  }
  co_return response;
}

Task<net::HttpResponse> EndpointsApi::dispatch(Exchange& exchange) {
  const net::HttpRequest& http = exchange.http;
  const auto target = parse_target(http.path());
  exchange.app = apps_.find(target->app);
  if (!exchange.app) {
    // A browser shows the request's own error, not a preflight's.
    if (exchange.is_preflight) co_return preflight_response(http);
    co_return Error(ErrorCode::kAppNotFound,
                    "cannot find app using Client App ID '" + std::string(target->app) + "'");
  }
  const deployment::DeployedApp& app = *exchange.app;
  if (!app.admits(exchange.client_address)) {
    co_return Error(ErrorCode::kOriginNotAllowed, "ip address is not allowed");
  }
  if (!is_origin_allowed(http.header("Origin"), app.config->allowed_request_origins)) {
    co_return Error(ErrorCode::kOriginNotAllowed, "request origin is not allowed");
  }
  if (exchange.is_preflight) co_return preflight_response(http);
  if (target->route.empty()) {
    exchange.endpoint = app.endpoints->find_webhook(decoded(target->service),
                                                    decoded(target->webhook), http.method());
    if (exchange.endpoint == nullptr) {
      co_return Error(ErrorCode::kNotFound,
                      "incoming webhook not found: '" + decoded(target->webhook) + "'");
    }
  } else {
    exchange.endpoint = app.endpoints->find(target->route, http.method());
    if (exchange.endpoint == nullptr) {
      exchange.endpoint = app.endpoints->find(decoded(target->route), http.method());
    }
    if (exchange.endpoint == nullptr) {
      co_return Error(ErrorCode::kNotFound, "endpoint not found: '" + std::string(http.method()) +
                                                " " + std::string(target->route) + "'");
    }
  }
  if (const Status valid = check_validation(*exchange.endpoint, http, exchange.base_url);
      !valid) {
    RESTITCH_LOG(kInfo, kApi, 4012, "Endpoint request not validated",
                 {"request", exchange.request_id}, {"app", app.client_app_id},
                 {"route", exchange.endpoint->route}, {"detail", valid.error().detail()});
    co_return error_response(HttpError{401, "IncomingWebhookAuthFailed"}, valid.error().message(),
                             exchange.link());
  }
  co_return co_await run(exchange);
}

Task<net::HttpResponse> EndpointsApi::run(Exchange& exchange) {
  const net::HttpRequest& http = exchange.http;
  const deployment::Endpoint& endpoint = *exchange.endpoint;
  functions::CallRequest call;
  RESTITCH_CO_TRY(call.user, co_await identify_caller(auth_, *exchange.app, endpoint, http,
                                                       exchange.client_address));
  call.function = endpoint.function;
  call.request_id = exchange.request_id;
  call.system_caller = !endpoint.needs_user;
  call.apply_can_evaluate = true;
  call.with_response = true;
  bson::Document headers = header_document(http, Authorization::kShown);
  call.arguments = arguments_of(endpoint, http, headers);
  call.log_type = endpoint.is_webhook ? "WEBHOOK" : "ENDPOINT";
  call.log_fields = log_fields(endpoint, http, headers);
  call.request.remote_ip = exchange.client_address;
  call.request.http_method = std::string(http.method());
  call.request.webhook_url = endpoint.route;
  call.request.raw_query_string = public_query(http.query());
  call.request.referrer = std::string(http.header("Referer"));
  call.request.user_agent = std::string(http.header("User-Agent"));
  call.request.headers = std::move(headers);
  call.request.service = endpoint.service;
  call.request.action = endpoint.is_webhook ? endpoint.name : endpoint.function;
  RESTITCH_CO_TRY(const functions::CallOutcome outcome,
                  co_await exchange.app->functions->call(std::move(call)));
  co_return reply_of(endpoint, http, outcome);
}

}  // namespace restitch::api::endpoints
