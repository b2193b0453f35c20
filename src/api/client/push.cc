#include "api/client/handlers.h"

namespace restitch::api::client {
namespace {

// No push service can be configured, so none is ever found.
Task<Reply> registration(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_CHECK(co_await bearer_of(api, context));
  co_return Error(ErrorCode::kServiceNotFound,
                  "service not found: '" + context.parameters.at(0) + "'");
}

}  // namespace

std::vector<Route> push_routes() {
  const PathPattern path("/app/{app}/push/providers/{service}/registration");
  return {
      {"PUT", path, AppFrom::kPath, &registration},
      {"DELETE", path, AppFrom::kPath, &registration},
  };
}

}  // namespace restitch::api::client
