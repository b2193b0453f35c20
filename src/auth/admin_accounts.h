#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/attempt_limits.h"
#include "auth/auth_service.h"
#include "auth/crypto.h"
#include "auth/tokens.h"
#include "datasource/client.h"
#include "runtime/task.h"

namespace restitch::auth {

// A way for an administrator to sign in, as the operator configured it.
struct AdminCredential {
  std::string provider;  // mongodb-cloud (API key pair), local-userpass
  std::string username, secret;
};

struct AdminUser {
  bson::ObjectId id;
  std::string provider, username;
};

// Administrators, their sessions and tokens (spec: admin-api §2). Credentials are configuration;
// their users keep their ids. Thread-safe after prepare().
class AdminAccounts {
 public:
  static constexpr std::int64_t kRefreshTokenSeconds = 5184000;

  AdminAccounts(std::shared_ptr<datasource::DataSource> state, SecretBox box,
                std::vector<AdminCredential> credentials);

  Task<void> prepare();

  // kAuthFailed or kInvalidPassword with the documented texts; kTooManyRequests after many refused
  // ones. `address` is the caller's.
  Task<LoginResult> login(std::string provider, std::string username, std::string secret,
                          std::string address);
  // A new access token.
  Task<std::string> refresh(std::string refresh_token);
  Task<void> logout(std::string refresh_token);
  Result<AdminUser> authenticate(std::string_view access_token) const;

  // The secret of a key pair, for callers that prove knowledge of it; "" for an unknown one.
  std::string private_key_of(std::string_view public_key) const;
  const TokenRealm& realm() const { return realm_; }

 private:
  Task<void> prepare_realm();
  Task<RefreshClaims> live_session(std::string refresh_token);
  std::string access_token_for(const std::string& user_id, const bson::ObjectId& session) const;

  std::shared_ptr<datasource::DataSource> state_;
  SecretBox box_;
  std::vector<AdminCredential> credentials_;
  datasource::Collection settings_, users_, sessions_;
  TokenRealm realm_;
  AttemptLimits limits_{AttemptRates{}};
  std::map<std::string, AdminUser> by_id_;
};

}  // namespace restitch::auth
