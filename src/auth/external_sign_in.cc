#include "auth/auth_service.h"

namespace restitch::auth {
namespace {

Error refused(std::string reason) { return Error(ErrorCode::kAuthFailed, std::move(reason)); }

// What the app's function gets: the credential without what the client adds about its device.
bson::Document payload_of(bson::View credential) {
  bson::Builder payload;
  for (const bson::Element& element : credential) {
    if (element.name != "options") payload.append(element.name, element.value);
  }
  return std::move(payload).finish();
}

// A non-empty text, or {id, name?}.
Result<Identity> identity_from(const Provider& provider, bson::ValueView result) {
  Identity identity{"", provider.config.type, provider.id, {}};
  if (const auto text = result.as_string()) {
    identity.id = std::string(*text);
  } else if (const auto object = result.as_object()) {
    identity.id = std::string((*object)["id"].as_string().value_or(""));
    if (const auto name = (*object)["name"].as_string())
      identity.data = bson::make_document("name", *name);
  }
  if (identity.id.empty()) return refused("unauthorized");
  return identity;
}

Task<Identity> ask_function(const AppAuth& app, const Provider& provider,
                            const bson::Document& credential) {
  const std::string function(provider.config.config["authFunctionName"].as_string().value_or(""));
  bson::Builder arguments;
  arguments.append("0", payload_of(credential));
  auto result = co_await app.call_function(function, std::move(arguments).finish());
  if (!result && result.error().code() == ErrorCode::kFunctionExecution)
    co_return refused(result.error().message());
  if (!result) co_return std::move(result).error();
  co_return identity_from(provider, *result);
}

}  // namespace

Task<Identity> AuthService::external_identity(AppPtr app, const Provider& provider,
                                              const bson::Document& credential) {
  if (provider.config.type == "custom-function") {
    auto identity = co_await ask_function(*app, provider, credential);
    co_return identity;
  }
  const ExternalAttempt attempt{provider.config, provider.secrets, credential, app->client_app_id};
  RESTITCH_CO_TRY(ExternalIdentity person, co_await external_.verify(attempt));
  co_return Identity{std::move(person.id), provider.config.type, provider.id,
                     std::move(person.data)};
}

// Metadata is as of the newest sign-in.
Task<AuthService::SignedIn> AuthService::sign_in_as(AppPtr app, Identity identity) {
  const TokenIdentity token_identity{identity.id, identity.provider_type, identity.provider_id};
  RESTITCH_CO_TRY(auto known, co_await store_.find_user_by_identity(
                                  app->app_id, identity.provider_type, identity.id));
  if (!known) {
    auto created = co_await create_user(app, identity, std::nullopt);
    if (created) co_return SignedIn{std::move(*created), token_identity, std::nullopt};
    if (created.error().code() != ErrorCode::kDuplicateKey) co_return std::move(created).error();
    // Another first sign-in of this person was faster.
    RESTITCH_CO_TRY(known, co_await store_.find_user_by_identity(
                               app->app_id, identity.provider_type, identity.id));
    if (!known) co_return Error(ErrorCode::kAuthFailed, "unauthorized");
  }
  for (Identity& present : known->identities) {
    const bool is_same =
        present.provider_type == identity.provider_type && present.id == identity.id;
    if (!is_same || present.data == identity.data) continue;
    RESTITCH_CO_CHECK(co_await store_.set_identity_data(known->id, identity));
    present.data = identity.data;
  }
  co_return SignedIn{users_.put(std::move(*known)), token_identity, std::nullopt};
}

}  // namespace restitch::auth
