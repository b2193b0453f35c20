#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/config.h"
#include "auth/password.h"
#include "auth/store.h"
#include "auth/tokens.h"
#include "auth/user_cache.h"
#include "runtime/blocking_pool.h"
#include "runtime/task.h"

namespace restitch::auth {

struct Provider {
  bson::ObjectId id;
  app::AuthProviderConfig config;
};

// What of a deployed app concerns its users. Immutable; part of the app's snapshot.
struct AppAuth {
  bson::ObjectId app_id;
  std::string client_app_id;
  TokenRealm realm;
  std::map<std::string, Provider, std::less<>> providers;  // by type; disabled ones too
  std::int64_t refresh_token_seconds = 5184000;
  // The custom user data document of a user, if the app has it on; null otherwise.
  std::function<Task<std::optional<bson::Document>>(std::string user_id)> custom_data;
  // Runs the app's user creation function; an error stops the creation. Null when there is none.
  std::function<Task<void>(CachedUserPtr user)> on_user_creation;
};

struct LoginResult {
  std::string access_token, refresh_token, user_id, device_id;
};

// The bearer of a valid access token.
struct AuthenticatedUser {
  CachedUserPtr user;
  bson::Document custom_data;  // as of the token
  bson::ObjectId session_id;
};

struct CreatedApiKey {
  ApiKey key;
  std::string secret;  // shown once
};

struct AuthSettings {
  PasswordCost password_cost;
  std::size_t cached_users = 100000;
};

// Sign-in, sessions and users of all apps (spec: client-api §4–10). Thread-safe. Errors carry the
// documented texts.
class AuthService {
 public:
  // `hash_pool` is for password hashes alone, so that a storm of logins does not slow anything
  // else.
  AuthService(std::shared_ptr<datasource::DataSource> state, runtime::BlockingPool& hash_pool,
              AuthSettings settings);

  // Makes the store ready. Once, first.
  Task<void> prepare();

  Task<LoginResult> login(std::shared_ptr<const AppAuth> app, std::string provider,
                          bson::Document credential);
  // Adds the credential to the user of the access token.
  Task<LoginResult> link(std::shared_ptr<const AppAuth> app, std::string provider,
                         bson::Document credential, std::string access_token);
  Task<void> register_login(std::shared_ptr<const AppAuth> app, std::string email,
                            std::string password);

  // Confirming e-mail logins and resetting passwords. This server issues no such tokens yet, so
  // that every well-formed one is unknown; what it cannot do is kUnsupported, after everything that
  // can be told without it.
  Task<void> use_confirmation_token(std::shared_ptr<const AppAuth> app, std::string token,
                                    std::string token_id);
  Task<void> send_confirmation(std::shared_ptr<const AppAuth> app, std::string email);
  Task<void> call_confirmation(std::shared_ptr<const AppAuth> app, std::string email);
  Task<void> use_reset_token(std::shared_ptr<const AppAuth> app, std::string token,
                             std::string token_id);
  Task<void> send_reset(std::shared_ptr<const AppAuth> app, std::string email);
  Task<void> call_reset(std::shared_ptr<const AppAuth> app, std::string email);

  // A new access token.
  Task<std::string> refresh(std::shared_ptr<const AppAuth> app, std::string refresh_token);
  Task<void> logout(std::shared_ptr<const AppAuth> app, std::string refresh_token);
  Task<AuthenticatedUser> authenticate(std::shared_ptr<const AppAuth> app,
                                       std::string_view access_token);
  Task<void> delete_user(std::shared_ptr<const AppAuth> app, bson::ObjectId user_id);
  // Any user of the app, for run_as_user_id.
  Task<CachedUserPtr> find_user(bson::ObjectId app_id, bson::ObjectId user_id);

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

  // kUserNotFound when there is none.
  Task<PasswordLogin> known_login(AppPtr app, std::string email);

  Task<SignedIn> sign_in(AppPtr app, const Provider& provider, const bson::Document& credential);
  Task<SignedIn> sign_in_anonymous(AppPtr app, const Provider& provider);
  Task<SignedIn> sign_in_with_password(AppPtr app, const Provider& provider,
                                       const bson::Document& credential);
  Task<SignedIn> sign_in_with_api_key(AppPtr app, const Provider& provider,
                                      const bson::Document& credential);
  Task<PasswordLogin> check_password(AppPtr app, const bson::Document& credential);
  Task<CachedUserPtr> create_user(AppPtr app, Identity identity,
                                  std::optional<bson::ObjectId> login_id);

  Task<LoginResult> open_session(AppPtr app, SignedIn signed_in, std::string device_id);
  Task<std::string> make_access_token(AppPtr app, bson::ObjectId session_id, std::string user_id,
                                      std::string device_id);
  // Verifies a refresh token and that its session and user still stand.
  Task<LiveSession> live_session(AppPtr app, std::string refresh_token);
  Task<CachedUserPtr> load_user(bson::ObjectId app_id, bson::ObjectId user_id);

  AuthStore store_;
  runtime::BlockingPool& hash_pool_;
  AuthSettings settings_;
  UserCache users_;
  std::string decoy_hash_;  // verified for unknown e-mails, so that they take as long
};

}  // namespace restitch::auth
