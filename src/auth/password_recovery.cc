#include <algorithm>
#include <chrono>

#include "auth/auth_service.h"
#include "auth/crypto.h"
#include "base/encoding.h"
#include "base/log.h"

namespace restitch::auth {
namespace {

using Purpose = UserpassToken::Purpose;

constexpr std::size_t kTokenBytes = 64;
constexpr std::int64_t kTokenMillis = 30 * 60 * 1000;
constexpr std::size_t kMaxEmailLength = 128;

bson::Date now() {
  return bson::Date{std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
}

// Of UTF-8 text: code points.
std::size_t character_count(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

Status check_new_password(std::string_view password) {
  const std::size_t length = character_count(password);
  if (length < 6 || length > 128) {
    return Error(ErrorCode::kBadRequest, "password must be between 6 and 128 characters");
  }
  return {};
}

bool is_token(std::string_view token, std::string_view token_id) {
  const auto is_hex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  return token.size() == 2 * kTokenBytes && std::all_of(token.begin(), token.end(), is_hex) &&
         bson::ObjectId::from_hex(token_id);
}

Result<const Provider*> provider_of(const AppAuth& app) {
  const auto provider = app.providers.find("local-userpass");
  if (provider == app.providers.end() || provider->second.config.disabled) {
    return Error(ErrorCode::kAuthProviderNotFound, "authentication provider not found");
  }
  return &provider->second;
}

// Settings of the app's e-mail provider.
bool is_on(const AppAuth& app, std::string_view setting) {
  const auto provider = app.providers.find("local-userpass");
  return provider != app.providers.end() &&
         provider->second.config.config[setting].as_bool().value_or(false);
}

std::string setting_of(const AppAuth& app, std::string_view setting) {
  const auto provider = app.providers.find("local-userpass");
  if (provider == app.providers.end()) return {};
  return std::string(provider->second.config.config[setting].as_string().value_or(""));
}

Error bad_request(std::string text) { return Error(ErrorCode::kBadRequest, std::move(text)); }
Error refused(std::string text) { return Error(ErrorCode::kRefused, std::move(text)); }
Error already_confirmed() { return Error(ErrorCode::kUserAlreadyConfirmed, "already confirmed"); }

// The status that an app's function answered; a function that threw answers nothing.
Task<std::string> status_of(const AppAuth& app, std::string function, bson::Document arguments) {
  auto result = co_await app.call_function(std::move(function), std::move(arguments));
  if (!result) {
    RESTITCH_LOG(kWarning, kAuth, 3304, "Function for e-mail logins failed",
                 {"app", app.client_app_id}, {"error", result.error().message()});
    co_return std::string();
  }
  const auto object = result->view().as_object();
  co_return std::string(object ? (*object)["status"].as_string().value_or("") : "");
}

std::string link_of(std::string url, const std::string& token, const std::string& token_id) {
  url.push_back(url.find('?') == std::string::npos ? '?' : '&');
  return url + "token=" + token + "&tokenId=" + token_id;
}

}  // namespace

Task<std::string> AuthService::hash_of(std::string password) {
  const PasswordCost cost = settings_.password_cost;
  const auto compute = [password = std::move(password), cost]() -> Result<std::string> {
    return hash_password(password, cost);
  };
  auto hash = co_await hash_pool_.run(compute);
  co_return hash;
}

Task<void> AuthService::register_login(AppPtr app, std::string email, std::string password,
                                       std::string address) {
  RESTITCH_CO_TRY(const Provider* provider, provider_of(*app));
  const Attempt attempt{app->app_id, email, std::move(address)};
  RESTITCH_CO_CHECK(limits_.register_account(attempt));
  RESTITCH_CO_CHECK(check_new_password(password));
  const bool is_confirmed = provider->config.config["autoConfirm"].truthy();
  const bool by_mail =
      !is_confirmed && !provider->config.config["runConfirmationFunction"].truthy();
  if (email.empty() || character_count(email) > kMaxEmailLength ||
      (by_mail && !is_email_address(email))) {
    co_return bad_request("email invalid");
  }
  const Error in_use(ErrorCode::kAccountNameInUse, "name already in use");
  RESTITCH_CO_TRY(const auto taken, co_await store_.find_login(app->app_id, email));
  if (taken) co_return in_use;
  RESTITCH_CO_TRY(const std::string hash, co_await hash_of(std::move(password)));
  const PasswordLogin login{
      bson::ObjectId::generate(), app->app_id, email, hash, is_confirmed, std::nullopt};
  auto stored = co_await store_.insert_login(login);
  if (!stored && stored.error().code() == ErrorCode::kDuplicateKey) co_return in_use;
  if (!stored || is_confirmed) co_return stored;
  auto begun = co_await begin_confirmation(app, login);
  if (begun) co_return Status();
  RESTITCH_CO_CHECK(co_await store_.delete_login(login.id));  // the e-mail stays free
  co_return begun;
}

Task<void> AuthService::begin_confirmation(AppPtr app, PasswordLogin login) {
  if (is_on(*app, "runConfirmationFunction")) {
    co_return co_await run_confirmation_function(app, std::move(login));
  }
  co_return co_await mail_link(app, std::move(login), Purpose::kConfirm);
}

Task<void> AuthService::run_confirmation_function(AppPtr app, PasswordLogin login) {
  RESTITCH_CO_TRY(const FreshToken fresh, co_await issue_token(app, login.id, Purpose::kConfirm));
  bson::Builder arguments;
  arguments.open_object("0").append("token", fresh.token).append("tokenId", fresh.id);
  arguments.append("username", login.email).close();
  RESTITCH_CO_TRY(const std::string status,
                  co_await status_of(*app, setting_of(*app, "confirmationFunctionName"),
                                     std::move(arguments).finish()));
  if (status == "success") co_return co_await store_.confirm_login(login.id);
  if (status == "pending") co_return Status();
  co_return bad_request("failed to confirm user \"" + login.email + "\"");
}

// Without a page of the app's own, the server's page takes the token.
Task<void> AuthService::mail_link(AppPtr app, PasswordLogin login, Purpose purpose) {
  const bool confirms = purpose == Purpose::kConfirm;
  std::string url = setting_of(*app, confirms ? "emailConfirmationUrl" : "resetPasswordUrl");
  if (url.empty()) {
    url = settings_.public_url + "/app/" + app->client_app_id + (confirms ? "/confirm" : "/reset");
  }
  std::string subject = setting_of(*app, confirms ? "confirmEmailSubject" : "resetPasswordSubject");
  if (subject.empty()) subject = confirms ? "Confirm your e-mail address" : "Reset your password";
  RESTITCH_CO_TRY(const FreshToken fresh, co_await issue_token(app, login.id, purpose));
  const std::string what = confirms ? "Confirm your e-mail address by opening this link:"
                                    : "Choose a new password by opening this link:";
  const std::string text =
      what + "\n\n" + link_of(url, fresh.token, fresh.id) +
      "\n\nThe link can be used once, within 30 minutes. If you did not ask for it, ignore this "
      "message.\n";
  co_return co_await mailer_.send(login.email, subject, text);
}

Task<AuthService::FreshToken> AuthService::issue_token(AppPtr app, bson::ObjectId login_id,
                                                       Purpose purpose) {
  const FreshToken fresh{to_hex(random_bytes(kTokenBytes)), bson::ObjectId::generate().to_hex()};
  UserpassToken token;
  token.id = *bson::ObjectId::from_hex(fresh.id);
  token.app_id = app->app_id;
  token.login_id = login_id;
  token.purpose = purpose;
  token.token_hash = sha256(fresh.token);
  token.expires = bson::Date{now().millis + kTokenMillis};
  RESTITCH_CO_CHECK(co_await store_.insert_token(token));
  co_return fresh;
}

Task<PasswordLogin> AuthService::take_token(AppPtr app, std::string token, std::string token_id,
                                            Purpose purpose) {
  UserpassToken wanted;
  wanted.id = *bson::ObjectId::from_hex(token_id);
  wanted.app_id = app->app_id;
  wanted.purpose = purpose;
  wanted.token_hash = sha256(token);
  RESTITCH_CO_TRY(auto login, co_await store_.take_token(wanted, now()));
  if (!login)
    co_return Error(ErrorCode::kUserpassTokenInvalid, "userpass token is expired or invalid");
  co_return std::move(*login);
}

Task<PasswordLogin> AuthService::known_login(AppPtr app, std::string email) {
  RESTITCH_CO_CHECK(provider_of(*app));
  RESTITCH_CO_TRY(auto login, co_await store_.find_login(app->app_id, std::move(email)));
  if (!login) co_return Error(ErrorCode::kUserNotFound, "user not found");
  co_return std::move(*login);
}

Task<void> AuthService::use_confirmation_token(AppPtr app, std::string token,
                                               std::string token_id) {
  RESTITCH_CO_CHECK(provider_of(*app));
  if (!is_token(token, token_id)) co_return bad_request("invalid token data");
  RESTITCH_CO_TRY(
      const PasswordLogin login,
      co_await take_token(app, std::move(token), std::move(token_id), Purpose::kConfirm));
  co_return co_await store_.confirm_login(login.id);
}

Task<void> AuthService::send_confirmation(AppPtr app, std::string email, std::string address) {
  const Attempt attempt{app->app_id, email, std::move(address)};
  RESTITCH_CO_CHECK(limits_.ask_for_message(attempt));
  RESTITCH_CO_TRY(PasswordLogin login, co_await known_login(app, std::move(email)));
  if (login.confirmed) co_return already_confirmed();
  if (is_on(*app, "runConfirmationFunction") && !is_on(*app, "autoConfirm")) {
    co_return refused("please use confirmation via function");
  }
  co_return co_await mail_link(app, std::move(login), Purpose::kConfirm);
}

Task<void> AuthService::call_confirmation(AppPtr app, std::string email, std::string address) {
  const Attempt attempt{app->app_id, email, std::move(address)};
  RESTITCH_CO_CHECK(limits_.ask_for_message(attempt));
  RESTITCH_CO_CHECK(provider_of(*app));
  const std::string refusal = "cannot run confirmation for " + email + ": ";
  if (is_on(*app, "autoConfirm"))
    co_return refused(refusal + "automatic confirmation is enabled");
  RESTITCH_CO_TRY(PasswordLogin login, co_await known_login(app, std::move(email)));
  if (login.confirmed) co_return already_confirmed();
  if (!is_on(*app, "runConfirmationFunction"))
    co_return refused(refusal + "confirmation by function is disabled");
  co_return co_await run_confirmation_function(app, std::move(login));
}

Task<void> AuthService::use_reset_token(AppPtr app, std::string token, std::string token_id,
                                        std::string password) {
  RESTITCH_CO_CHECK(provider_of(*app));
  if (!is_token(token, token_id)) co_return bad_request("invalid token data");
  RESTITCH_CO_CHECK(check_new_password(password));
  RESTITCH_CO_TRY(PasswordLogin login,
                  co_await take_token(app, std::move(token), std::move(token_id), Purpose::kReset));
  RESTITCH_CO_TRY(std::string hash, co_await hash_of(std::move(password)));
  co_return co_await change_password(std::move(login), std::move(hash));
}

Task<void> AuthService::send_reset(AppPtr app, std::string email, std::string address) {
  const Attempt attempt{app->app_id, email, std::move(address)};
  RESTITCH_CO_CHECK(limits_.ask_for_message(attempt));
  RESTITCH_CO_TRY(PasswordLogin login, co_await known_login(app, std::move(email)));
  if (is_on(*app, "runResetFunction"))
    co_return refused("please use reset password via function");
  if (!is_email_address(login.email)) co_return bad_request("email invalid");
  co_return co_await mail_link(app, std::move(login), Purpose::kReset);
}

Task<void> AuthService::call_reset(AppPtr app, std::string email, std::string password,
                                   bson::Document arguments, std::string address) {
  const Attempt attempt{app->app_id, email, std::move(address)};
  RESTITCH_CO_CHECK(limits_.ask_for_message(attempt));
  RESTITCH_CO_TRY(PasswordLogin login, co_await known_login(app, std::move(email)));
  if (!is_on(*app, "runResetFunction"))
    co_return refused("please use reset password via email");
  RESTITCH_CO_CHECK(check_new_password(password));
  const auto verify = [password, hash = login.password_hash]() -> Result<bool> {
    return verify_password(password, hash);
  };
  RESTITCH_CO_TRY(const bool is_current, co_await hash_pool_.run(verify));
  RESTITCH_CO_TRY(const FreshToken fresh, co_await issue_token(app, login.id, Purpose::kReset));
  bson::Builder call;
  call.open_array("all").push_object();
  call.append("token", fresh.token).append("tokenId", fresh.id).append("username", login.email);
  call.append("password", password).append("currentPasswordValid", is_current).close();
  const bson::View further = arguments;
  for (const bson::Element& element : further) call.push(element.value);
  call.close();
  const bson::Document built = std::move(call).finish();
  RESTITCH_CO_TRY(const std::string status,
                  co_await status_of(*app, setting_of(*app, "resetFunctionName"),
                                     bson::Document(*built["all"].as_array())));
  if (status == "pending") co_return Status();
  if (status != "success")
    co_return refused("failed to reset password for user \"" + login.email + "\"");
  RESTITCH_CO_TRY(std::string hash, co_await hash_of(std::move(password)));
  co_return co_await change_password(std::move(login), std::move(hash));
}

// Whoever was signed in with the former password is signed out.
Task<void> AuthService::change_password(PasswordLogin login, std::string password_hash) {
  const auto user = login.user_id;
  auto changed = co_await store_.set_password(std::move(login), std::move(password_hash), now());
  if (user) users_.forget(*user);
  co_return changed;
}

}  // namespace restitch::auth
