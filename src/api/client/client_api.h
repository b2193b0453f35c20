#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/client/request_context.h"
#include "api/route_table.h"
#include "auth/auth_service.h"
#include "deployment/app_registry.h"
#include "deployment/log_store.h"
#include "net/address_set.h"
#include "runtime/task.h"

namespace restitch::api::client {

// How a route knows its app.
enum class AppFrom : std::uint8_t { kPath, kToken, kOauthState };

class ClientApi;
using RouteHandler = Task<Reply> (*)(ClientApi& api, RequestContext& context);

struct Route {
  std::string_view method;
  PathPattern path;  // behind /api/client/v2.0; with AppFrom::kPath the first parameter is the
                     // client app id
  AppFrom app_from;
  RouteHandler handler;
};

struct ClientApiOptions {
  std::string public_url;  // "" = derived from each request
  net::AddressSet trusted_proxies;
  deployment::LogStore* logs = nullptr;  // sign-ins are noted there
};

// The front door of end users' apps (spec: client-api). Decodes, calls a service, encodes; errors
// become HTTP here and nowhere else. Thread-safe.
class ClientApi {
 public:
  ClientApi(deployment::AppRegistry& apps, auth::AuthService& auth, ClientApiOptions options);

  static constexpr std::string_view kPrefix = "/api/client/v2.0";
  static bool serves(std::string_view path);

  asio::awaitable<net::HttpResponse> handle(const net::HttpRequest& request);
  asio::awaitable<net::HttpResponse> handle_oversized(const net::HttpRequest& request);

  auth::AuthService& auth() { return auth_; }
  deployment::AppRegistry& apps() { return apps_; }
  deployment::LogStore* logs() { return options_.logs; }

 private:
  struct Routed {
    const Route* route = nullptr;
    bool path_known = false;  // another method would fit
  };

  Routed find_route(const net::HttpRequest& request, std::vector<std::string>* parameters) const;
  Task<Reply> dispatch(const net::HttpRequest& request, RequestContext& context);
  Status resolve_app(const Route& route, RequestContext& context);
  Status resolve_app_of_token(RequestContext& context);
  net::HttpResponse finish(const RequestContext& context, const Result<Reply>& outcome) const;
  RequestContext context_of(const net::HttpRequest& request) const;

  deployment::AppRegistry& apps_;
  auth::AuthService& auth_;
  ClientApiOptions options_;
  std::vector<Route> routes_;
};

}  // namespace restitch::api::client
