#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/config.h"
#include "auth/attempt_limits.h"
#include "auth/device.h"
#include "auth/external_login.h"
#include "auth/mailer.h"
#include "auth/password.h"
#include "auth/push_registrations.h"
#include "auth/store.h"
#include "auth/tokens.h"
#include "auth/user_cache.h"
#include "auth/verified_tokens.h"
#include "runtime/blocking_pool.h"
#include "runtime/task.h"

namespace restitch::auth {

struct Provider {
  bson::ObjectId id;
  app::AuthProviderConfig config;
  bson::Document secrets;  // secret_config with the values of the secrets that it names
};

// What authentication triggers are told of.
enum class AuthEvent : std::uint8_t { kLogin, kCreate, kDelete, kLogout };

// What of a deployed app concerns its users. Immutable; part of the app's snapshot.
struct AppAuth {
  bson::ObjectId app_id;
  std::string client_app_id;
  TokenRealm realm;
  std::map<std::string, Provider, std::less<>> providers;  // by type; disabled ones too
  std::int64_t refresh_token_seconds = 5184000;
  // The custom user data document of a user, if the app has it on; null otherwise.
  std::function<Task<std::optional<bson::Document>>(std::string user_id)> custom_data;
  // Calls a function of the app as the system; its result. `arguments` is an array.
  std::function<Task<bson::Value>(std::string function, bson::Document arguments)> call_function;
  // Runs the app's user creation function; an error stops the creation. Null when there is none.
  std::function<Task<void>(CachedUserPtr user)> on_user_creation;
  // What is to be stored for the app's triggers together with the change of the user, so that
  // neither is without the other. Null when there are no such triggers.
  std::function<std::vector<bson::Document>(AuthEvent event, std::vector<std::string> providers,
                                            const CachedUser& user)>
      event_records;
};

struct LoginResult {
  std::string access_token, refresh_token, user_id, device_id;
};

// The bearer of a valid access token.
struct AuthenticatedUser {
  CachedUserPtr user;
  bson::Document custom_data;  // as of the token
  bson::ObjectId session_id;
  std::string device_id;
};

struct CreatedApiKey {
  ApiKey key;
  std::string secret;  // shown once
};

// A browser that asks to sign in (or link) on a provider's page (spec: client-api §6.4).
struct RedirectRequest {
  std::string provider;
  std::string client_state;  // of the app, handed back to it
  std::string return_to;     // page of the app
  Device device;
  std::string access_token;  // of the user to link; "" = sign in
  std::string callback_url;  // of this server
};
// Where to send the browser, with a cookie that ties the way back to it.
struct RedirectAway {
  std::string url;
  std::string cookie_name, cookie_value;
};
// A browser that came back from the provider.
struct RedirectReturn {
  std::string state, code, error;
  std::string cookie_value;
};

struct AuthSettings {
  PasswordCost password_cost;
  std::size_t cached_users = 100000;
  IdentityEndpoints identity_endpoints;
  MailSettings mail;
  std::string public_url;  // of the built-in confirmation and reset pages in messages
  AttemptRates attempt_rates;
};

// Sign-in, sessions and users of all apps (spec: client-api §4–10). Thread-safe. Errors carry the
// documented texts. `address` is the client's, for the limits on attempts; "" comes from within.
class AuthService {
 public:
  // `hash_pool` is for password hashes alone, so that a storm of logins does not slow anything
  // else.
  // `outbound` carries requests to identity providers and mail; both must outlive the service.
  AuthService(std::shared_ptr<datasource::DataSource> state, runtime::BlockingPool& hash_pool,
              net::Outbound& outbound, AuthSettings settings);

  // Makes the store ready. Once, first.
  Task<void> prepare();

  // Another node has changed the user: the next request sees it.
  void forget_user(const bson::ObjectId& user_id) { users_.forget(user_id); }

  Task<LoginResult> login(std::shared_ptr<const AppAuth> app, std::string provider,
                          bson::Document credential, std::string address = {});
  // Adds the credential to the user of the access token.
  Task<LoginResult> link(std::shared_ptr<const AppAuth> app, std::string provider,
                         bson::Document credential, std::string access_token,
                         std::string address = {});
  // The redirect flow. kInvalidArgument when the provider knows no such page of the app.
  Task<RedirectAway> begin_redirect(std::shared_ptr<const AppAuth> app, RedirectRequest request);
  // The URL of the app's page, with tokens or an error in its fragment. An error (kBadRequest) only
  // when the state is none of this server's, so that there is no page to go to.
  Task<std::string> finish_redirect(std::shared_ptr<const AppAuth> app, RedirectReturn back,
                                    std::string address = {});
  // Of the cookie that goes with a state.
  static std::string redirect_cookie_name(std::string_view state);
  Task<void> register_login(std::shared_ptr<const AppAuth> app, std::string email,
                            std::string password, std::string address = {});

  // Confirming e-mail logins and resetting passwords (spec: client-api §9), in password_recovery.cc. Tokens are for one
  // use and 30 minutes.
  Task<void> use_confirmation_token(std::shared_ptr<const AppAuth> app, std::string token,
                                    std::string token_id);
  Task<void> send_confirmation(std::shared_ptr<const AppAuth> app, std::string email,
                               std::string address = {});
  Task<void> call_confirmation(std::shared_ptr<const AppAuth> app, std::string email,
                               std::string address = {});
  Task<void> use_reset_token(std::shared_ptr<const AppAuth> app, std::string token,
                             std::string token_id, std::string password);
  Task<void> send_reset(std::shared_ptr<const AppAuth> app, std::string email, std::string address = {});
  // `arguments` (an array) are handed to the reset function behind its first parameter.
  Task<void> call_reset(std::shared_ptr<const AppAuth> app, std::string email, std::string password,
                        bson::Document arguments, std::string address = {});

  // A new access token.
  Task<std::string> refresh(std::shared_ptr<const AppAuth> app, std::string refresh_token);
  Task<void> logout(std::shared_ptr<const AppAuth> app, std::string refresh_token);
  Task<AuthenticatedUser> authenticate(std::shared_ptr<const AppAuth> app,
                                       std::string_view access_token);
  Task<void> delete_user(std::shared_ptr<const AppAuth> app, bson::ObjectId user_id);
  // The user of a credential that comes with a single request; opens no session. A new user is made
  // only when `may_create`. Whatever is wrong with the credential is kInvalidSession, with the
  // reason as detail.
  Task<CachedUserPtr> identify(std::shared_ptr<const AppAuth> app, std::string provider,
                               bson::Document credential, bool may_create,
                               std::string address = {});
  // A user from elsewhere, with e-mail logins. kDuplicateKey when the id, an identity or an e-mail is
  // taken; then nothing is stored.
  Task<void> import_user(UserRecord user, std::vector<PasswordLogin> logins);
  // Deletes anonymous users who gave no sign of life for 90 days: at most 1000, and how many it was.
  Task<std::int64_t> delete_idle_anonymous(std::shared_ptr<const AppAuth> app);
  // Any user of the app, for run_as_user_id.
  Task<CachedUserPtr> find_user(bson::ObjectId app_id, bson::ObjectId user_id);

  const PushRegistrations& push_registrations() const { return push_registrations_; }

  // API keys of the bearer of a refresh token.
  Task<CreatedApiKey> create_api_key(std::shared_ptr<const AppAuth> app, std::string refresh_token,
                                     std::string name);
  Task<std::vector<ApiKey>> list_api_keys(std::shared_ptr<const AppAuth> app,
                                          std::string refresh_token);
  Task<ApiKey> fetch_api_key(std::shared_ptr<const AppAuth> app, std::string refresh_token,
                             std::string key_id);
  Task<void> delete_api_key(std::shared_ptr<const AppAuth> app, std::string refresh_token,
                            std::string key_id);
  Task<void> set_api_key_enabled(std::shared_ptr<const AppAuth> app, std::string refresh_token,
                                 std::string key_id, bool enabled);

 private:
  friend class UserAdmin;

  using AppPtr = std::shared_ptr<const AppAuth>;
  struct SignedIn {
    CachedUserPtr user;
    TokenIdentity identity;
    std::optional<bson::ObjectId> api_key_id;
  };
  struct LiveSession {
    RefreshClaims claims;
    Session session;
    CachedUserPtr user;
  };

  struct FreshToken {
    std::string token, id;  // 128 and 24 hex digits
  };

  // kUserNotFound when there is none.
  Task<PasswordLogin> known_login(AppPtr app, std::string email);
  Task<std::string> hash_of(std::string password);
  Task<FreshToken> issue_token(AppPtr app, bson::ObjectId login_id, UserpassToken::Purpose purpose);
  Task<PasswordLogin> take_token(AppPtr app, std::string token, std::string token_id,
                                 UserpassToken::Purpose purpose);
  // Tells the owner of a new login how to confirm it, or asks the app's function: what the provider says.
  Task<void> begin_confirmation(AppPtr app, PasswordLogin login);
  Task<void> mail_link(AppPtr app, PasswordLogin login, UserpassToken::Purpose purpose);
  Task<void> run_confirmation_function(AppPtr app, PasswordLogin login);
  Task<void> change_password(PasswordLogin login, std::string password_hash);

  Task<LoginResult> login_unlimited(AppPtr app, const Provider& provider, bson::Document credential);
  Task<LoginResult> link_unlimited(AppPtr app, const Provider& provider, bson::Document credential,
                                   CachedUserPtr user);
  Task<SignedIn> sign_in(AppPtr app, const Provider& provider, const bson::Document& credential);
  Task<SignedIn> sign_in_anonymous(AppPtr app, const Provider& provider);
  Task<SignedIn> sign_in_with_password(AppPtr app, const Provider& provider,
                                       const bson::Document& credential);
  Task<SignedIn> sign_in_with_api_key(AppPtr app, const Provider& provider,
                                      const bson::Document& credential);
  // The person of a credential that somebody else vouches for: a provider or a function of the app.
  Task<Identity> external_identity(AppPtr app, const Provider& provider, const bson::Document& credential);
  Task<SignedIn> sign_in_as(AppPtr app, Identity identity);
  Task<LoginResult> link_identity(AppPtr app, Identity identity, CachedUserPtr user, Device device);
  Task<LoginResult> come_back(AppPtr app, bson::Document state, RedirectReturn back,
                              std::string address);
  Task<LoginResult> link_password(AppPtr app, const Provider& provider, bson::Document credential,
                                  CachedUserPtr user);
  Task<PasswordLogin> check_password(AppPtr app, const bson::Document& credential);
  Task<CachedUserPtr> create_user(AppPtr app, Identity identity,
                                  std::optional<bson::ObjectId> login_id);

  // `is_login`: not only new tokens for somebody who is signed in.
  Task<LoginResult> open_session(AppPtr app, SignedIn signed_in, Device device, bool is_login);
  Task<std::string> note_device(AppPtr app, bson::ObjectId user_id, Device device);
  Task<CachedUserPtr> identify_unlimited(AppPtr app, const Provider& provider,
                                         bson::Document credential, bool may_create);
  // The user of a right credential that exists already; null when there is none.
  Task<CachedUserPtr> find_by_credential(AppPtr app, const Provider& provider,
                                         const bson::Document& credential);
  Task<LoginResult> open_linked_session(AppPtr app, bson::ObjectId user_id, Identity identity,
                                        Device device);
  Task<std::string> make_access_token(AppPtr app, bson::ObjectId session_id, CachedUserPtr user,
                                      std::string device_id);
  // Verifies a refresh token and that its session and user still stand.
  Task<LiveSession> live_session(AppPtr app, std::string refresh_token);
  Task<CachedUserPtr> load_user(bson::ObjectId app_id, bson::ObjectId user_id);

  PushRegistrations push_registrations_;
  AuthStore store_;
  runtime::BlockingPool& hash_pool_;
  AuthSettings settings_;
  ExternalLogin external_;
  Mailer mailer_;
  AttemptLimits limits_;
  UserCache users_;
  VerifiedTokens verified_tokens_;
  std::string decoy_hash_;  // verified for unknown e-mails, so that they take as long
};

}  // namespace restitch::auth
