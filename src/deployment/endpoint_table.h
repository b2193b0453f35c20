#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "app/config.h"

namespace restitch::deployment {

// An HTTPS endpoint or an incoming webhook, ready to be called.
struct Endpoint {
  bool is_webhook = false;
  std::string route;                  // of a webhook "/<service>/<name>"
  std::string service, service_type;  // of a webhook
  std::string name;                   // of a webhook
  std::string function;
  app::RequestValidation validation = app::RequestValidation::kNone;
  std::string secret;  // the value; "" fits nothing
  // Whether the function runs as the user who calls, so that the request must tell who that is.
  bool needs_user = false;
  bool respond_result = false;
  bool returns_ejson = false;
  bool fetch_custom_user_data = false;
  bool create_user_on_auth = false;
  bool disable_arg_logs = false;
};

// The enabled endpoints and the webhooks of an app. Immutable.
class EndpointTable {
 public:
  EndpointTable(const app::Config& config, const std::map<std::string, std::string>& secrets);

  // The endpoint of exactly that route; one for exactly the method before one for all. Null when
  // there is none.
  const Endpoint* find(std::string_view route, std::string_view method) const;
  const Endpoint* find_webhook(std::string_view service, std::string_view name,
                               std::string_view method) const;

 private:
  using Table = std::map<std::pair<std::string, std::string>, Endpoint>;  // route, method

  static const Endpoint* find_in(const Table& table, std::string_view route,
                                 std::string_view method);

  Table endpoints_, webhooks_;
};

}  // namespace restitch::deployment
