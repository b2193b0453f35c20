#include <algorithm>

#include "auth/auth_service.h"

namespace restitch::auth {
namespace {

constexpr std::size_t kTokenDigits = 128;

Status check_token(std::string_view token, std::string_view token_id) {
  const auto is_hex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  const bool well_formed = token.size() == kTokenDigits &&
                           std::all_of(token.begin(), token.end(), is_hex) &&
                           bson::ObjectId::from_hex(token_id);
  if (!well_formed) return Error(ErrorCode::kBadRequest, "invalid token data");
  return Error(ErrorCode::kUserpassTokenInvalid, "userpass token is expired or invalid");
}

// Whether the app's e-mail provider has this on.
bool is_on(const AppAuth& app, std::string_view setting) {
  const auto provider = app.providers.find("local-userpass");
  return provider != app.providers.end() &&
         provider->second.config.config[setting].as_bool().value_or(false);
}

Status check_provider(const AppAuth& app) {
  const auto provider = app.providers.find("local-userpass");
  if (provider == app.providers.end() || provider->second.config.disabled) {
    return Error(ErrorCode::kAuthProviderNotFound, "authentication provider not found");
  }
  return {};
}

Error already_confirmed() { return Error(ErrorCode::kUserAlreadyConfirmed, "already confirmed"); }

Error no_mail() { return Error(ErrorCode::kUnsupported, "this server does not send e-mail yet"); }

}  // namespace

Task<PasswordLogin> AuthService::known_login(AppPtr app, std::string email) {
  RESTITCH_CO_CHECK(check_provider(*app));
  RESTITCH_CO_TRY(auto login, co_await store_.find_login(app->app_id, std::move(email)));
  if (!login) co_return Error(ErrorCode::kUserNotFound, "user not found");
  co_return std::move(*login);
}

Task<void> AuthService::use_confirmation_token(AppPtr app, std::string token,
                                               std::string token_id) {
  RESTITCH_CO_CHECK(check_provider(*app));
  co_return check_token(token, token_id);
}

Task<void> AuthService::send_confirmation(AppPtr app, std::string email) {
  RESTITCH_CO_TRY(const PasswordLogin login, co_await known_login(app, std::move(email)));
  if (login.confirmed) co_return already_confirmed();
  co_return no_mail();
}

Task<void> AuthService::call_confirmation(AppPtr app, std::string email) {
  RESTITCH_CO_CHECK(check_provider(*app));
  if (is_on(*app, "autoConfirm")) {
    co_return Error(ErrorCode::kBadRequest,
                    "cannot run confirmation for " + email + ": automatic confirmation is enabled");
  }
  RESTITCH_CO_TRY(const PasswordLogin login, co_await known_login(app, std::move(email)));
  if (login.confirmed) co_return already_confirmed();
  co_return Error(ErrorCode::kUnsupported, "this server does not run confirmation functions yet");
}

Task<void> AuthService::use_reset_token(AppPtr app, std::string token, std::string token_id) {
  RESTITCH_CO_CHECK(check_provider(*app));
  co_return check_token(token, token_id);
}

Task<void> AuthService::send_reset(AppPtr app, std::string email) {
  RESTITCH_CO_CHECK(co_await known_login(app, std::move(email)));
  if (is_on(*app, "runResetFunction")) {
    co_return Error(ErrorCode::kBadRequest, "please use reset password via function");
  }
  co_return no_mail();
}

Task<void> AuthService::call_reset(AppPtr app, std::string email) {
  RESTITCH_CO_CHECK(co_await known_login(app, std::move(email)));
  co_return Error(ErrorCode::kUnsupported, "this server does not run reset functions yet");
}

}  // namespace restitch::auth
