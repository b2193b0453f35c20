#include "auth/auth_service.h"
#include "auth/credential.h"
#include "auth/crypto.h"

namespace restitch::auth {
namespace {

Error no_user(std::string reason) {
  return Error(ErrorCode::kInvalidSession, "invalid session: error finding user for endpoint")
      .with_detail(std::move(reason));
}

// What says nothing of the credential.
bool is_failure_of_server(ErrorCode code) {
  return code == ErrorCode::kSourceUnavailable || code == ErrorCode::kTooManyRequests ||
         code == ErrorCode::kClosing || code == ErrorCode::kInternal;
}

}  // namespace

Task<CachedUserPtr> AuthService::find_by_credential(AppPtr app, const Provider& provider,
                                                    const bson::Document& credential) {
  const std::string& type = provider.config.type;
  if (type == "local-userpass") {
    RESTITCH_CO_TRY(const PasswordLogin login, co_await check_password(app, credential));
    if (!login.user_id) co_return CachedUserPtr();
    co_return co_await load_user(app->app_id, *login.user_id);
  }
  if (type == "api-key") {
    RESTITCH_CO_TRY(const std::string secret, text_member(credential, "key"));
    RESTITCH_CO_TRY(const auto key,
                    co_await store_.find_api_key_by_hash(app->app_id, sha256(secret)));
    if (!key || key->disabled) co_return Error(ErrorCode::kAuthFailed, "unauthorized");
    if (key->user_id) co_return co_await load_user(app->app_id, *key->user_id);
    RESTITCH_CO_TRY(auto known,
                    co_await store_.find_user_by_identity(app->app_id, type, key->id.to_hex()));
    co_return known ? users_.put(std::move(*known)) : CachedUserPtr();
  }
  RESTITCH_CO_TRY(const Identity identity, co_await external_identity(app, provider, credential));
  RESTITCH_CO_TRY(auto known, co_await store_.find_user_by_identity(
                                  app->app_id, identity.provider_type, identity.id));
  co_return known ? users_.put(std::move(*known)) : CachedUserPtr();
}

Task<CachedUserPtr> AuthService::identify(AppPtr app, std::string provider_type,
                                          bson::Document credential, bool may_create,
                                          std::string address) {
  const auto provider = app->providers.find(provider_type);
  if (provider == app->providers.end() || provider->second.config.disabled) {
    co_return no_user("the provider " + provider_type + " is not enabled");
  }
  const Attempt attempt{app->app_id, std::string(credential["username"].as_string().value_or("")),
                        std::move(address)};
  RESTITCH_CO_CHECK(limits_.begin_sign_in(attempt));
  auto user = co_await identify_unlimited(app, provider->second, std::move(credential), may_create);
  if (user || user.error().code() != ErrorCode::kInvalidSession) limits_.sign_in_not_refused(attempt);
  co_return user;
}

Task<CachedUserPtr> AuthService::identify_unlimited(AppPtr app, const Provider& provider,
                                                    bson::Document credential, bool may_create) {
  CachedUserPtr user;
  if (may_create) {
    auto signed_in = co_await sign_in(app, provider, credential);
    if (!signed_in && is_failure_of_server(signed_in.error().code()))
      co_return std::move(signed_in).error();
    if (!signed_in) co_return no_user(signed_in.error().message());
    user = signed_in->user;
  } else {
    auto found = co_await find_by_credential(app, provider, credential);
    if (!found && is_failure_of_server(found.error().code())) co_return std::move(found).error();
    if (!found) co_return no_user(found.error().message());
    user = *found;
  }
  if (!user) co_return no_user("the credential is right, but has no user yet");
  if (user->record.disabled) co_return no_user("the user is disabled");
  co_return user;
}

}  // namespace restitch::auth
