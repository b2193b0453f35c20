#include "api/client/client_api.h"

#include <iterator>

#include "api/client/handlers.h"
#include "api/client_view.h"
#include "api/cors.h"
#include "api/http_error.h"
#include "api/request_values.h"
#include "auth/tokens.h"
#include "base/log.h"

namespace restitch::api::client {
namespace {

std::string_view skip_slashes(std::string_view path) {
  while (path.size() > 1 && path[0] == '/' && path[1] == '/') path.remove_prefix(1);
  return path;
}

std::string link_of(const RequestContext& context) {
  return context.app ? logs_link(context.base_url, *context.app, context.request_id)
                     : std::string();
}

void log_failure(const RequestContext& context, const Error& error) {
  const HttpError mapped = http_error_of(error.code());
  if (mapped.status >= 500) {
    RESTITCH_LOG(kError, kApi, 4001, "Request failed", {"request", context.request_id},
                 {"code", name_of(error.code())}, {"error", error.message()},
                 {"detail", error.detail()});
  } else if (!error.detail().empty()) {
    RESTITCH_LOG(kInfo, kApi, 4002, "Request refused", {"request", context.request_id},
                 {"code", name_of(error.code())}, {"error", error.message()},
                 {"detail", error.detail()});
  }
}

}  // namespace

ClientApi::ClientApi(deployment::AppRegistry& apps, auth::AuthService& auth,
                     ClientApiOptions options)
    : apps_(apps), auth_(auth), options_(std::move(options)) {
  while (!options_.public_url.empty() && options_.public_url.back() == '/')
    options_.public_url.pop_back();
  for (auto* family :
       {&location_routes, &auth_routes, &oauth_routes, &api_key_routes, &function_routes, &watch_routes, &push_routes}) {
    std::vector<Route> rows = family();
    std::move(rows.begin(), rows.end(), std::back_inserter(routes_));
  }
}

bool ClientApi::serves(std::string_view path) { return skip_slashes(path).starts_with(kPrefix); }

asio::awaitable<net::HttpResponse> ClientApi::handle(const net::HttpRequest& request) {
  RequestContext context = context_of(request);
  const Result<Reply> outcome = co_await dispatch(request, context);
  co_return finish(context, outcome);
}

asio::awaitable<net::HttpResponse> ClientApi::handle_oversized(const net::HttpRequest& request) {
  const RequestContext context = context_of(request);
  co_return finish(context,
                   Error(ErrorCode::kRequestTooLarge, "request is larger than the limit of 18 MB"));
}

Task<Reply> ClientApi::dispatch(const net::HttpRequest& request, RequestContext& context) {
  const Routed routed = find_route(request, &context.parameters);
  const bool preflight = request.method() == "OPTIONS";
  if (routed.route == nullptr) {
    if (preflight) co_return Reply::empty();
    co_return Error(ErrorCode::kNotFound, routed.path_known ? "method not allowed" : "not found");
  }
  const Status resolved = resolve_app(*routed.route, context);
  // Without a token or with an unknown app the request itself is to show the error: a browser hides
  // a preflight's.
  if (preflight && !resolved) co_return Reply::empty();
  RESTITCH_CO_CHECK(resolved);
  if (!context.app->admits(context.client_address)) {
    co_return Error(ErrorCode::kOriginNotAllowed, "ip address is not allowed");
  }
  if (!is_origin_allowed(request.header("Origin"), context.app->config->allowed_request_origins)) {
    co_return Error(ErrorCode::kOriginNotAllowed, "request origin is not allowed");
  }
  if (preflight) co_return Reply::empty();
  co_return co_await routed.route->handler(*this, context);
}

ClientApi::Routed ClientApi::find_route(const net::HttpRequest& request,
                                        std::vector<std::string>* parameters) const {
  const std::vector<std::string> segments =
      split_path(skip_slashes(request.path()).substr(kPrefix.size()));
  Routed routed;
  for (const Route& route : routes_) {
    if (!route.path.matches(segments, parameters)) continue;
    routed.path_known = true;
    if (route.method != request.method() && request.method() != "OPTIONS") continue;
    routed.route = &route;
    return routed;
  }
  return routed;
}

Status ClientApi::resolve_app(const Route& route, RequestContext& context) {
  if (route.app_from == AppFrom::kPath) {
    const std::string client_app_id = context.parameters.front();
    context.parameters.erase(context.parameters.begin());
    context.app = apps_.find(client_app_id);
    if (!context.app) {
      return Error(ErrorCode::kAppNotFound,
                   "cannot find app using Client App ID '" + client_app_id + "'");
    }
    return {};
  }
  if (route.app_from == AppFrom::kToken) return resolve_app_of_token(context);
  const Error unknown(ErrorCode::kBadRequest, "the sign-in was not begun here");
  const auto domain = auth::claimed_domain(oauth_state(context.http));
  if (!domain) return unknown;
  context.app = apps_.find_by_domain(*domain);
  return context.app ? Status() : unknown;
}

// Routes under /auth carry no app id: the token names the app's domain.
Status ClientApi::resolve_app_of_token(RequestContext& context) {
  if (context.http.header("Authorization").empty()) {
    const bool keys = context.http.path().find("/auth/api_keys") != std::string_view::npos;
    return Error(ErrorCode::kUnauthenticated, keys ? "must authenticate first" : "unauthorized");
  }
  const std::string_view token = bearer_token(context.http);
  if (token.empty()) {
    const bool keys = context.http.path().find("/auth/api_keys") != std::string_view::npos;
    return Error(ErrorCode::kUnauthenticated,
                 keys ? "expected Authorization header with JWT (Bearer schema)" : "unauthorized");
  }
  RESTITCH_TRY(const bson::ObjectId domain, auth::claimed_domain(token));
  context.app = apps_.find_by_domain(domain);
  if (!context.app) return Error(ErrorCode::kInvalidSession, "invalid session");
  return {};
}

net::HttpResponse ClientApi::finish(const RequestContext& context,
                                    const Result<Reply>& outcome) const {
  net::HttpResponse response;
  if (outcome) {
    response.status = outcome->status;
    response.body = outcome->json;
    if (context.http.method() == "OPTIONS") response = preflight_response(context.http);
    for (const auto& [name, value] : outcome->headers) response.set(name, value);
    response.producer = outcome->events;
    if (response.producer) {
      response.set("Content-Type", "text/event-stream");
    } else if (!response.body.empty()) {
      response.set("Content-Type", "application/json");
    }
  } else {
    log_failure(context, outcome.error());
    response = error_response(outcome.error(), link_of(context));
  }
  response.set("x-appservices-request-id", context.request_id);
  response.set("Cache-Control", "no-cache, no-store, must-revalidate");
  response.set("X-Frame-Options", "DENY");
  const bool origin_refused = !outcome && outcome.error().code() == ErrorCode::kOriginNotAllowed;
  add_cors_headers(response, origin_refused ? std::string_view() : context.http.header("Origin"));
  return response;
}

RequestContext ClientApi::context_of(const net::HttpRequest& request) const {
  ClientView view = client_view(request, options_.trusted_proxies, options_.public_url);
  return {request, bson::ObjectId::generate().to_hex(), std::move(view.base_url),
          std::move(view.address), {}, nullptr};
}

}  // namespace restitch::api::client
