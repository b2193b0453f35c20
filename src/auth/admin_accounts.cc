#include "auth/admin_accounts.h"

#include <chrono>

#include "auth/state_queries.h"

namespace restitch::auth {
namespace {

using bson::Builder;
using bson::Document;
using bson::ObjectId;

constexpr std::string_view kKeyPurpose = "administrators' signing key";

std::int64_t now_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Error refused(const std::string& provider) {
  if (provider == "mongodb-cloud") {
    return Error(ErrorCode::kUnauthenticated,
                 "failed to authenticate with MongoDB Cloud API: You are not authorized for this "
                 "resource.");
  }
  return Error(ErrorCode::kInvalidPassword, "invalid username/password");
}

}  // namespace

AdminAccounts::AdminAccounts(std::shared_ptr<datasource::DataSource> state, SecretBox box,
                             std::vector<AdminCredential> credentials)
    : state_(std::move(state)),
      box_(std::move(box)),
      credentials_(std::move(credentials)),
      settings_(collection(*state_, "settings")),
      users_(collection(*state_, "admin_users")),
      sessions_(collection(*state_, "admin_sessions")) {}

Task<void> AdminAccounts::prepare() {
  datasource::IndexOptions expiring;
  expiring.expire_after_seconds = 0;
  const Document expires = bson::make_document("expires", std::int32_t{1});
  RESTITCH_CO_CHECK(co_await sessions_.ensure_index(expires, expiring));
  datasource::IndexOptions unique;
  unique.unique = true;
  Builder keys;
  keys.append("provider", std::int32_t{1}).append("username", std::int32_t{1});
  const Document by_name = std::move(keys).finish();
  RESTITCH_CO_CHECK(co_await users_.ensure_index(by_name, unique));
  RESTITCH_CO_CHECK(co_await prepare_realm());
  for (const AdminCredential& credential : credentials_) {
    Builder filter;
    filter.append("provider", credential.provider).append("username", credential.username);
    const Document who = std::move(filter).finish();
    const Document fresh = bson::make_document("_id", ObjectId::generate());
    RESTITCH_CO_TRY(const Document known, co_await find_or_insert(users_, who, fresh));
    const AdminUser user{known["_id"].as_object_id().value_or(ObjectId{}), credential.provider,
                         credential.username};
    by_id_[user.id.to_hex()] = user;
  }
  co_return Status();
}

Task<void> AdminAccounts::prepare_realm() {
  const Document who = bson::make_document("_id", "administrators");
  Builder members;
  members.append("domain_id", ObjectId::generate());
  members.append_binary("signing_key", 0, box_.seal(random_bytes(64), kKeyPurpose));
  const Document fresh = std::move(members).finish();
  RESTITCH_CO_TRY(const Document settings, co_await find_or_insert(settings_, who, fresh));
  const bson::ValueView key = settings["signing_key"];
  const auto domain = settings["domain_id"].as_object_id();
  if (!domain || key.type() != bson::Type::kBinary) {
    co_return Error(ErrorCode::kCorrupt, "the administrators' settings are incomplete");
  }
  realm_.domain_id = *domain;
  RESTITCH_CO_TRY(realm_.signing_key, box_.open_sealed(key.get_binary().bytes, kKeyPurpose));
  co_return Status();
}

Task<LoginResult> AdminAccounts::login(std::string provider, std::string username,
                                       std::string secret, std::string address) {
  const Attempt attempt{realm_.domain_id, username, std::move(address)};
  RESTITCH_CO_CHECK(limits_.begin_sign_in(attempt));
  const AdminCredential* match = nullptr;
  for (const AdminCredential& credential : credentials_) {
    const bool is_right = credential.provider == provider && credential.username == username &&
                          equal_in_constant_time(credential.secret, secret);
    if (is_right) match = &credential;
  }
  if (match == nullptr) co_return refused(provider);
  limits_.sign_in_not_refused(attempt);
  const AdminUser* user = nullptr;
  for (const auto& [id, known] : by_id_) {
    if (known.provider == provider && known.username == username) user = &known;
  }
  if (user == nullptr) co_return refused(provider);
  const std::int64_t now = now_seconds();
  RefreshClaims claims;
  claims.user_id = user->id.to_hex();
  claims.session_id = ObjectId::generate();
  claims.device_id = std::string(kNoDevice);
  claims.identity = {user->username, user->provider, user->id};
  claims.expires_at = now + kRefreshTokenSeconds;
  Builder session;
  session.append("_id", claims.session_id).append("user", user->id);
  session.append("expires", bson::Date{claims.expires_at * 1000});
  const Document document = std::move(session).finish();
  RESTITCH_CO_CHECK(co_await sessions_.insert_one(document));
  LoginResult result;
  result.user_id = claims.user_id;
  result.device_id = claims.device_id;
  result.refresh_token = issue_refresh_token(realm_, claims, now);
  result.access_token = access_token_for(claims.user_id, claims.session_id);
  co_return result;
}

std::string AdminAccounts::access_token_for(const std::string& user_id,
                                            const ObjectId& session) const {
  AccessClaims claims;
  claims.user_id = user_id;
  claims.session_id = session;
  claims.device_id = std::string(kNoDevice);
  claims.issued_at = now_seconds();
  claims.expires_at = claims.issued_at + kAccessTokenSeconds;
  return issue_access_token(realm_, claims, nullptr);
}

Task<RefreshClaims> AdminAccounts::live_session(std::string refresh_token) {
  auto claims = verify_refresh_token(realm_, refresh_token, now_seconds());
  if (!claims) {
    if (claims.error().code() == ErrorCode::kWrongTokenType) {
      co_return Error(ErrorCode::kWrongTokenType, "invalid refresh token: incorrect token type");
    }
    co_return Error(ErrorCode::kInvalidSession, "invalid session");
  }
  const Document filter = bson::make_document("_id", claims->session_id);
  RESTITCH_CO_TRY(const auto found, co_await sessions_.find_one(filter));
  if (!found || !by_id_.contains(claims->user_id)) {
    co_return Error(ErrorCode::kInvalidSession, "invalid session: failed to find refresh token");
  }
  co_return std::move(*claims);
}

Task<std::string> AdminAccounts::refresh(std::string refresh_token) {
  RESTITCH_CO_TRY(const RefreshClaims claims, co_await live_session(std::move(refresh_token)));
  co_return access_token_for(claims.user_id, claims.session_id);
}

Task<void> AdminAccounts::logout(std::string refresh_token) {
  RESTITCH_CO_TRY(const RefreshClaims claims, co_await live_session(std::move(refresh_token)));
  const Document filter = bson::make_document("_id", claims.session_id);
  RESTITCH_CO_CHECK(co_await sessions_.delete_one(filter));
  co_return Status();
}

Result<AdminUser> AdminAccounts::authenticate(std::string_view access_token) const {
  const auto claims = verify_access_token(realm_, access_token, now_seconds());
  if (!claims) {
    switch (claims.error().code()) {
      case ErrorCode::kInvalidSession:
        return Error(ErrorCode::kInvalidSession, "invalid session: access token expired");
      case ErrorCode::kWrongTokenType:
        return Error(ErrorCode::kWrongTokenType, "invalid session: valid Issuer required");
      default:
        return Error(ErrorCode::kInvalidSession, "invalid session");
    }
  }
  const auto user = by_id_.find(claims->user_id);
  if (user == by_id_.end()) return Error(ErrorCode::kInvalidSession, "invalid session");
  return user->second;
}

std::string AdminAccounts::private_key_of(std::string_view public_key) const {
  for (const AdminCredential& credential : credentials_) {
    if (credential.provider == "mongodb-cloud" && credential.username == public_key) {
      return credential.secret;
    }
  }
  return {};
}

}  // namespace restitch::auth
