#pragma once

#include <string>

#include "auth/auth_service.h"
#include "deployment/app_registry.h"
#include "net/address_set.h"
#include "net/http.h"
#include "runtime/task.h"

namespace restitch::api::endpoints {

// HTTPS endpoints and the incoming webhooks of the legacy layouts (spec: functions §8).
// Thread-safe.
class EndpointsApi {
 public:
  // `public_url` "" = derived from each request.
  EndpointsApi(deployment::AppRegistry& apps, auth::AuthService& auth, std::string public_url,
               net::AddressSet trusted_proxies);

  // /app/<app>/endpoint/<route> and […]/app/<app>/service/<service>/incoming_webhook/<name>
  static bool serves(std::string_view path);

  asio::awaitable<net::HttpResponse> handle(const net::HttpRequest& request);

 private:
  struct Exchange;

  Task<net::HttpResponse> dispatch(Exchange& exchange);
  Task<net::HttpResponse> run(Exchange& exchange);

  deployment::AppRegistry& apps_;
  auth::AuthService& auth_;
  std::string public_url_;
  net::AddressSet trusted_proxies_;
};

}  // namespace restitch::api::endpoints
