#include "api/client/handlers.h"
#include "deployment/third_party.h"

namespace restitch::api::client {
namespace {

struct Registering {
  auth::AuthenticatedUser bearer;
  std::string service;
};

// Who registers, and with which push service of the app.
Task<Registering> registering(ClientApi& api, const RequestContext& context) {
  RESTITCH_CO_TRY(auth::AuthenticatedUser bearer, co_await bearer_of(api, context));
  const std::string service = context.parameters.at(0);
  if (!deployment::has_push_service(*context.app->config, service)) {
    co_return Error(ErrorCode::kServiceNotFound, "service not found: '" + service + "'");
  }
  co_return Registering{std::move(bearer), service};
}

Task<Reply> register_device(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(Registering who, co_await registering(api, context));
  RESTITCH_CO_TRY(const bson::Document body, json_body(context.http));
  const bson::ValueView token = body["registrationToken"];
  if (token.is_nullish()) {
    co_return Error(ErrorCode::kMissingParameter, "missing parameter 'registrationToken'");
  }
  if (!token.as_string()) {
    co_return Error(ErrorCode::kInvalidArgument, "expected 'registrationToken' to be a string");
  }
  auth::PushRegistration registration;
  registration.user_id = who.bearer.user->record.id;
  registration.device_id = std::move(who.bearer.device_id);
  registration.token = token.get_string();
  RESTITCH_CO_CHECK(co_await api.auth().push_registrations().put(
      context.app->id, std::move(who.service), std::move(registration)));
  co_return Reply::empty();
}

Task<Reply> deregister_device(ClientApi& api, RequestContext& context) {
  RESTITCH_CO_TRY(Registering who, co_await registering(api, context));
  RESTITCH_CO_CHECK(co_await api.auth().push_registrations().remove(
      context.app->id, std::move(who.service), who.bearer.user->record.id,
      std::move(who.bearer.device_id)));
  co_return Reply::empty();
}

}  // namespace

std::vector<Route> push_routes() {
  const PathPattern path("/app/{app}/push/providers/{service}/registration");
  return {
      {"PUT", path, AppFrom::kPath, &register_device},
      {"DELETE", path, AppFrom::kPath, &deregister_device},
  };
}

}  // namespace restitch::api::client
