#include "api/client/handlers.h"

namespace restitch::api::client {
namespace {

std::string websocket_url(const std::string& base_url) {
  if (base_url.starts_with("https://")) return "wss://" + base_url.substr(8);
  return "ws://" + base_url.substr(base_url.find("://") + 3);
}

Task<Reply> location(ClientApi&, RequestContext& context) {
  const app::Config& config = *context.app->config;
  bson::Builder body;
  body.append("deployment_model",
              config.deployment_model.empty() ? "GLOBAL" : config.deployment_model);
  body.append("location", config.location.empty() ? "US-VA" : config.location);
  body.append("hostname", context.base_url);
  body.append("ws_hostname", websocket_url(context.base_url));
  co_return Reply::of(std::move(body).finish());
}

}  // namespace

std::vector<Route> location_routes() {
  return {{"GET", PathPattern("/app/{app}/location"), AppFrom::kPath, &location}};
}

}  // namespace restitch::api::client
