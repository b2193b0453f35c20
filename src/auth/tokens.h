#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "bson/types.h"

namespace restitch::auth {

// Who the tokens of an app are for and how they are signed (spec: client-api §4.1).
struct TokenRealm {
  bson::ObjectId domain_id;       // the app's auth domain, not the app
  std::string signing_key;
  std::vector<std::string> former_keys{};  // sign no more; what they signed stays good

  friend bool operator==(const TokenRealm&, const TokenRealm&) = default;
};

struct TokenIdentity {            // baas_identity of a refresh token
  std::string id, provider_type;
  bson::ObjectId provider_id;
};

struct AccessClaims {
  std::string user_id;            // sub
  bson::ObjectId session_id;      // iss
  std::string device_id;
  std::int64_t issued_at = 0;     // seconds
  std::int64_t expires_at = 0;
  bson::Document user_data;       // custom user data; {} when the claim is absent
};

struct RefreshClaims {
  std::string user_id;
  bson::ObjectId session_id;
  std::string device_id;
  TokenIdentity identity;
  std::int64_t expires_at = 0;
};

inline constexpr std::int64_t kAccessTokenSeconds = 1800;

// HS256 tokens with both spellings of the claims (baas_* and stitch_*). `user_data` null = claim left out.
std::string issue_access_token(const TokenRealm& realm, const AccessClaims& claims, const bson::Document* user_data);
std::string issue_refresh_token(const TokenRealm& realm, const RefreshClaims& claims, std::int64_t now);

// Claims of the server's own, signed like the tokens: `claims` with the app's domain, `kind` as typ and
// the expiry added.
std::string sign_claims(const TokenRealm& realm, std::string_view kind, bson::View claims,
                        std::int64_t expires_at);
// kInvalidToken for anything that is not such a text of this kind, or has expired.
Result<bson::Document> verify_claims(const TokenRealm& realm, std::string_view kind,
                                     std::string_view token, std::int64_t now);

// The app's domain a token claims to be of, without checking anything else; kInvalidToken if it cannot be read. Used
// on routes that carry no app id, before the token is verified with that app's key.
Result<bson::ObjectId> claimed_domain(std::string_view token);

// Errors: kInvalidToken (not parseable, or `signature is invalid`), kWrongTokenType, kAppMismatch, kInvalidSession
// (expired); texts of spec client-api §4.3 and §4.5.
Result<AccessClaims> verify_access_token(const TokenRealm& realm, std::string_view token, std::int64_t now);
Result<RefreshClaims> verify_refresh_token(const TokenRealm& realm, std::string_view token, std::int64_t now);

}  // namespace restitch::auth
