#include "auth/auth_service.h"

#include <algorithm>
#include <chrono>

#include "auth/credential.h"
#include "auth/crypto.h"
#include "auth/state_queries.h"

namespace restitch::auth {
namespace {

constexpr std::size_t kVerifiedTokens = 10'000;

constexpr std::int64_t kDayMillis = 24 * 3600 * 1000;
constexpr std::int64_t kIdleDays = 90;
constexpr std::int64_t kIdleBatch = 1000;
constexpr std::int64_t kAnonymousRefreshSeconds =
    1576800000;  // 50 years, as the hosted service issued

std::int64_t now_seconds() { return now_millis() / 1000; }

Error unauthorized(ErrorCode code) { return Error(code, "unauthorized"); }

Error invalid_session() { return Error(ErrorCode::kInvalidSession, "invalid session"); }

Device device_of(const bson::Document& credential) {
  return device_from(credential.view().find_path("options.device"));
}

std::vector<bson::Document> events_of(const AppAuth& app, AuthEvent event, std::string provider,
                                      const CachedUser& user) {
  if (!app.event_records) return {};
  return app.event_records(event, {std::move(provider)}, user);
}

// The user as it will be with one more identity.
CachedUser with_identity(const CachedUser& user, const Identity& identity) {
  CachedUser out;
  out.record = user.record;
  out.record.identities.push_back(identity);
  out.data = out.record.merged_data();
  out.identities = out.record.identities_document();
  return out;
}

Attempt attempt_of(const AppAuth& app, const bson::Document& credential, std::string address) {
  return {app.app_id, std::string(credential["username"].as_string().value_or("")), std::move(address)};
}

// Whether the credential was found wrong. What else goes wrong is no guess at it.
bool is_refusal(const Result<LoginResult>& outcome) {
  if (outcome) return false;
  const ErrorCode code = outcome.error().code();
  return code == ErrorCode::kInvalidPassword || code == ErrorCode::kAuthFailed ||
         code == ErrorCode::kInvalidSession;
}

Result<const Provider*> enabled_provider(const AppAuth& app, std::string_view type) {
  const auto found = app.providers.find(type);
  if (found == app.providers.end() || found->second.config.disabled) {
    return Error(ErrorCode::kAuthProviderNotFound, "authentication provider not found");
  }
  return &found->second;
}

}  // namespace

AuthService::AuthService(std::shared_ptr<datasource::DataSource> state,
                         runtime::BlockingPool& hash_pool, net::Outbound& outbound,
                         AuthSettings settings)
    : push_registrations_(*state),
      store_(std::move(state)),
      hash_pool_(hash_pool),
      settings_(std::move(settings)),
      external_(outbound, settings_.identity_endpoints),
      mailer_(outbound, settings_.mail),
      limits_(settings_.attempt_rates),
      users_(settings_.cached_users),
      verified_tokens_(kVerifiedTokens) {
  decoy_hash_ = hash_password(random_bytes(16), settings_.password_cost);
}

Task<void> AuthService::prepare() {
  RESTITCH_CO_CHECK(co_await store_.prepare());
  co_return co_await push_registrations_.prepare();
}

Task<LoginResult> AuthService::login(AppPtr app, std::string provider_type,
                                     bson::Document credential, std::string address) {
  RESTITCH_CO_TRY(const Provider* provider, enabled_provider(*app, provider_type));
  const Attempt attempt = attempt_of(*app, credential, std::move(address));
  if (provider_type == "anon-user") {
    RESTITCH_CO_CHECK(limits_.register_account(attempt));
  }
  RESTITCH_CO_CHECK(limits_.begin_sign_in(attempt));
  auto outcome = co_await login_unlimited(app, *provider, std::move(credential));
  if (!is_refusal(outcome)) limits_.sign_in_not_refused(attempt);
  co_return outcome;
}

Task<LoginResult> AuthService::login_unlimited(AppPtr app, const Provider& provider,
                                               bson::Document credential) {
  RESTITCH_CO_TRY(SignedIn signed_in, co_await sign_in(app, provider, credential));
  if (signed_in.user->record.disabled) co_return unauthorized(ErrorCode::kUserDisabled);
  co_return co_await open_session(app, std::move(signed_in), device_of(credential), true);
}

Task<AuthService::SignedIn> AuthService::sign_in(AppPtr app, const Provider& provider,
                                                 const bson::Document& credential) {
  const std::string& type = provider.config.type;
  if (type == "anon-user") co_return co_await sign_in_anonymous(app, provider);
  if (type == "local-userpass") co_return co_await sign_in_with_password(app, provider, credential);
  if (type == "api-key") co_return co_await sign_in_with_api_key(app, provider, credential);
  RESTITCH_CO_TRY(Identity identity, co_await external_identity(app, provider, credential));
  co_return co_await sign_in_as(app, std::move(identity));
}

Task<AuthService::SignedIn> AuthService::sign_in_anonymous(AppPtr app, const Provider& provider) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  Identity identity;
  identity.id = bson::ObjectId::generate().to_hex() + "-" + random_text(24, kLetters);
  identity.provider_type = provider.config.type;
  identity.provider_id = provider.id;
  const TokenIdentity token_identity{identity.id, identity.provider_type, identity.provider_id};
  RESTITCH_CO_TRY(CachedUserPtr user, co_await create_user(app, std::move(identity), std::nullopt));
  co_return SignedIn{std::move(user), token_identity, std::nullopt};
}

Task<PasswordLogin> AuthService::check_password(AppPtr app, const bson::Document& credential) {
  RESTITCH_CO_TRY(const std::string email, text_member(credential, "username"));
  RESTITCH_CO_TRY(const std::string password, text_member(credential, "password"));
  RESTITCH_CO_TRY(auto login, co_await store_.find_login(app->app_id, email));
  const bool has_password = login && login->password_hash != kNoPassword;
  const std::string hash = has_password ? login->password_hash : decoy_hash_;
  const auto verify = [password, hash]() -> Result<bool> { return verify_password(password, hash); };
  RESTITCH_CO_TRY(const bool right, co_await hash_pool_.run(verify));
  if (!has_password || !right) co_return unauthorized(ErrorCode::kInvalidPassword);
  if (is_outdated(hash, settings_.password_cost)) {
    RESTITCH_CO_TRY(std::string fresh, co_await hash_of(password));
    RESTITCH_CO_CHECK(co_await store_.replace_password_hash(login->id, hash, fresh));
    login->password_hash = std::move(fresh);
  }
  if (!login->confirmed) co_return unauthorized(ErrorCode::kAuthFailed);
  co_return std::move(*login);
}

Task<AuthService::SignedIn> AuthService::sign_in_with_password(AppPtr app, const Provider& provider,
                                                               const bson::Document& credential) {
  RESTITCH_CO_TRY(const PasswordLogin login, co_await check_password(app, credential));
  const TokenIdentity token_identity{login.id.to_hex(), provider.config.type, provider.id};
  if (login.user_id) {
    RESTITCH_CO_TRY(CachedUserPtr known, co_await load_user(app->app_id, *login.user_id));
    if (!known) co_return unauthorized(ErrorCode::kInvalidPassword);
    co_return SignedIn{std::move(known), token_identity, std::nullopt};
  }
  const Identity identity{token_identity.id, provider.config.type, provider.id,
                          bson::make_document("email", login.email)};
  auto created = co_await create_user(app, identity, login.id);
  if (!created && created.error().code() == ErrorCode::kDuplicateKey) {
    // Another first sign-in of this login was faster.
    RESTITCH_CO_TRY(auto other, co_await store_.find_user_by_identity(
                                    app->app_id, provider.config.type, identity.id));
    if (!other) co_return unauthorized(ErrorCode::kInvalidPassword);
    co_return SignedIn{users_.put(std::move(*other)), token_identity, std::nullopt};
  }
  if (!created) co_return std::move(created).error();
  co_return SignedIn{*created, token_identity, std::nullopt};
}

Task<AuthService::SignedIn> AuthService::sign_in_with_api_key(AppPtr app, const Provider& provider,
                                                              const bson::Document& credential) {
  RESTITCH_CO_TRY(const std::string secret, text_member(credential, "key"));
  RESTITCH_CO_TRY(const auto key,
                  co_await store_.find_api_key_by_hash(app->app_id, sha256(secret)));
  if (!key || key->disabled) co_return unauthorized(ErrorCode::kAuthFailed);
  const Identity identity{key->id.to_hex(), provider.config.type, provider.id,
                          bson::make_document("name", key->name)};
  const TokenIdentity token_identity{identity.id, identity.provider_type, identity.provider_id};
  if (!key->user_id) {
    RESTITCH_CO_TRY(auto known, co_await store_.find_user_by_identity(
                                    app->app_id, identity.provider_type, identity.id));
    if (known) co_return SignedIn{users_.put(std::move(*known)), token_identity, key->id};
    RESTITCH_CO_TRY(CachedUserPtr created, co_await create_user(app, identity, std::nullopt));
    co_return SignedIn{std::move(created), token_identity, key->id};
  }
  RESTITCH_CO_TRY(CachedUserPtr owner, co_await load_user(app->app_id, *key->user_id));
  if (!owner) co_return unauthorized(ErrorCode::kAuthFailed);
  bool has_identity = false;
  for (const Identity& present : owner->record.identities) {
    has_identity = has_identity ||
                   (present.provider_type == identity.provider_type && present.id == identity.id);
  }
  if (!has_identity) {
    RESTITCH_CO_CHECK(co_await store_.add_identity(owner->record.id, identity));
    users_.forget(owner->record.id);
    RESTITCH_CO_TRY(owner, co_await load_user(app->app_id, *key->user_id));
    if (!owner) co_return unauthorized(ErrorCode::kAuthFailed);
  }
  co_return SignedIn{std::move(owner), token_identity, key->id};
}

Task<CachedUserPtr> AuthService::create_user(AppPtr app, Identity identity,
                                             std::optional<bson::ObjectId> login_id) {
  UserRecord user;
  user.id = bson::ObjectId::generate();
  user.app_id = app->app_id;
  user.type = identity.provider_type == "api-key" ? "server" : "normal";
  user.identities.push_back(std::move(identity));
  user.created = bson::Date{now_millis()};
  user.last_authenticated = user.created;
  auto candidate = std::make_shared<CachedUser>();
  candidate->data = user.merged_data();
  candidate->identities = user.identities_document();
  candidate->record = user;
  if (app->on_user_creation) {
    RESTITCH_CO_CHECK(co_await app->on_user_creation(candidate));
  }
  const std::string provider = user.identities.front().provider_type;
  std::vector<bson::Document> events = events_of(*app, AuthEvent::kCreate, provider, *candidate);
  if (login_id) {
    RESTITCH_CO_CHECK(co_await store_.insert_user_of_login(user, *login_id, std::move(events)));
  } else {
    RESTITCH_CO_CHECK(co_await store_.insert_user(user, std::move(events)));
  }
  co_return users_.put(std::move(user));
}

Task<LoginResult> AuthService::open_session(AppPtr app, SignedIn signed_in, Device device,
                                            bool is_login) {
  RESTITCH_CO_TRY(const std::string device_id,
                  co_await note_device(app, signed_in.user->record.id, std::move(device)));
  const bool lasting = signed_in.identity.provider_type == "anon-user";
  const std::int64_t lifetime = lasting ? kAnonymousRefreshSeconds : app->refresh_token_seconds;
  const std::int64_t now = now_millis();
  Session session;
  session.id = bson::ObjectId::generate();
  session.app_id = app->app_id;
  session.user_id = signed_in.user->record.id;
  session.device_id = device_id;
  session.provider_type = signed_in.identity.provider_type;
  session.api_key_id = signed_in.api_key_id;
  session.created = bson::Date{now};
  session.expires = bson::Date{now + lifetime * 1000};
  std::vector<bson::Document> events;
  if (is_login) {
    events = events_of(*app, AuthEvent::kLogin, session.provider_type, *signed_in.user);
  }
  RESTITCH_CO_CHECK(co_await store_.insert_session(session, std::move(events)));
  RESTITCH_CO_CHECK(co_await store_.touch_user(session.user_id, bson::Date{now}));

  LoginResult result;
  result.user_id = session.user_id.to_hex();
  result.device_id = device_id;
  const RefreshClaims claims{result.user_id, session.id, device_id, signed_in.identity,
                             now / 1000 + lifetime};
  result.refresh_token = issue_refresh_token(app->realm, claims, now / 1000);
  RESTITCH_CO_TRY(result.access_token,
                  co_await make_access_token(app, session.id, signed_in.user, device_id));
  co_return result;
}

Task<std::string> AuthService::make_access_token(AppPtr app, bson::ObjectId session_id,
                                                 CachedUserPtr user, std::string device_id) {
  const std::string user_id = user->record.id.to_hex();
  AccessClaims claims;
  claims.user_id = user_id;
  claims.session_id = session_id;
  claims.device_id = std::move(device_id);
  // Tokens count whole seconds: one from the second of a revocation must be told from those before it.
  claims.issued_at = std::max(now_seconds(), (user->record.not_before.millis + 999) / 1000);
  claims.expires_at = claims.issued_at + kAccessTokenSeconds;
  std::optional<bson::Document> custom_data;
  if (app->custom_data) {
    RESTITCH_CO_TRY(custom_data, co_await app->custom_data(user_id));
  }
  co_return issue_access_token(app->realm, claims, custom_data ? &*custom_data : nullptr);
}

Task<LoginResult> AuthService::link(AppPtr app, std::string provider_type,
                                    bson::Document credential, std::string access_token,
                                    std::string address) {
  RESTITCH_CO_TRY(const AuthenticatedUser bearer, co_await authenticate(app, access_token));
  RESTITCH_CO_TRY(const Provider* provider, enabled_provider(*app, provider_type));
  const Attempt attempt = attempt_of(*app, credential, std::move(address));
  RESTITCH_CO_CHECK(limits_.begin_sign_in(attempt));
  auto outcome = co_await link_unlimited(app, *provider, std::move(credential), bearer.user);
  if (!is_refusal(outcome)) limits_.sign_in_not_refused(attempt);
  co_return outcome;
}

Task<LoginResult> AuthService::link_unlimited(AppPtr app, const Provider& provider,
                                              bson::Document credential, CachedUserPtr user) {
  const std::string& type = provider.config.type;
  if (type == "local-userpass")
    co_return co_await link_password(app, provider, std::move(credential), std::move(user));
  if (type == "anon-user" || type == "api-key")
    co_return Error(ErrorCode::kBadRequest, "cannot link credentials of the provider " + type);
  RESTITCH_CO_TRY(Identity identity, co_await external_identity(app, provider, credential));
  co_return co_await link_identity(app, std::move(identity), std::move(user), device_of(credential));
}

Task<LoginResult> AuthService::link_password(AppPtr app, const Provider& provider,
                                             bson::Document credential, CachedUserPtr user) {
  for (const Identity& identity : user->record.identities) {
    // The hosted service answered 500 here and clients' suites expect it.
    if (identity.provider_type == provider.config.type)
      co_return Error(ErrorCode::kInternal, "unauthorized");
  }
  RESTITCH_CO_TRY(const PasswordLogin login, co_await check_password(app, credential));
  if (login.user_id) co_return unauthorized(ErrorCode::kAuthFailed);
  const Identity identity{login.id.to_hex(), provider.config.type, provider.id,
                          bson::make_document("email", login.email)};
  const bson::ObjectId user_id = user->record.id;
  std::vector<bson::Document> events = events_of(*app, AuthEvent::kCreate, provider.config.type,
                                                 with_identity(*user, identity));
  auto linked = co_await store_.link_login(login.id, user_id, identity, std::move(events));
  users_.forget(user_id);
  if (!linked && linked.error().code() == ErrorCode::kDuplicateKey)
    co_return unauthorized(ErrorCode::kAuthFailed);
  if (!linked) co_return std::move(linked).error();
  co_return co_await open_linked_session(app, user_id, identity, device_of(credential));
}

Task<LoginResult> AuthService::link_identity(AppPtr app, Identity identity, CachedUserPtr user,
                                             Device device) {
  const bson::ObjectId user_id = user->record.id;
  RESTITCH_CO_TRY(const auto owner, co_await store_.find_user_by_identity(
                                        app->app_id, identity.provider_type, identity.id));
  if (owner && owner->id != user_id) co_return unauthorized(ErrorCode::kAuthFailed);
  std::vector<bson::Document> events = events_of(*app, AuthEvent::kCreate, identity.provider_type,
                                                 with_identity(*user, identity));
  auto stored = owner ? co_await store_.set_identity_data(user_id, identity)
                      : co_await store_.add_identity(user_id, identity, std::move(events));
  users_.forget(user_id);
  if (!stored && stored.error().code() == ErrorCode::kDuplicateKey)
    co_return unauthorized(ErrorCode::kAuthFailed);
  if (!stored) co_return std::move(stored).error();
  co_return co_await open_linked_session(app, user_id, identity, std::move(device));
}

Task<LoginResult> AuthService::open_linked_session(AppPtr app, bson::ObjectId user_id,
                                                   Identity identity, Device device) {
  RESTITCH_CO_TRY(CachedUserPtr user, co_await load_user(app->app_id, user_id));
  if (!user) co_return invalid_session();
  const TokenIdentity token_identity{identity.id, identity.provider_type, identity.provider_id};
  SignedIn signed_in{user, token_identity, std::nullopt};
  co_return co_await open_session(app, std::move(signed_in), std::move(device), false);
}

Task<CachedUserPtr> AuthService::load_user(bson::ObjectId app_id, bson::ObjectId user_id) {
  if (CachedUserPtr cached = users_.find(user_id)) {
    co_return cached->record.app_id == app_id ? cached : CachedUserPtr();
  }
  RESTITCH_CO_TRY(auto found, co_await store_.find_user(app_id, user_id));
  if (!found) co_return CachedUserPtr();
  co_return users_.put(std::move(*found));
}

Task<CachedUserPtr> AuthService::find_user(bson::ObjectId app_id, bson::ObjectId user_id) {
  RESTITCH_CO_TRY(CachedUserPtr user, co_await load_user(app_id, user_id));
  if (!user) co_return Error(ErrorCode::kUserNotFound, "user not found");
  co_return user;
}

Task<AuthenticatedUser> AuthService::authenticate(AppPtr app, std::string_view access_token) {
  RESTITCH_CO_TRY(AccessClaims claims,
                  verified_tokens_.verify(app->realm, access_token, now_seconds()));
  const auto user_id = bson::ObjectId::from_hex(claims.user_id);
  if (!user_id) co_return invalid_session();
  RESTITCH_CO_TRY(CachedUserPtr user, co_await load_user(app->app_id, *user_id));
  if (!user || user->record.disabled || claims.issued_at * 1000 < user->record.not_before.millis) {
    co_return invalid_session();
  }
  co_return AuthenticatedUser{std::move(user), std::move(claims.user_data), claims.session_id,
                              std::move(claims.device_id)};
}

Task<AuthService::LiveSession> AuthService::live_session(AppPtr app, std::string refresh_token) {
  RESTITCH_CO_TRY(RefreshClaims claims,
                  verify_refresh_token(app->realm, refresh_token, now_seconds()));
  const Error gone(ErrorCode::kInvalidSession, "invalid session: failed to find refresh token");
  RESTITCH_CO_TRY(auto session, co_await store_.find_session(app->app_id, claims.session_id));
  if (!session) co_return gone;
  RESTITCH_CO_TRY(CachedUserPtr user, co_await load_user(app->app_id, session->user_id));
  if (!user || session->created.millis < user->record.not_before.millis) co_return gone;
  if (user->record.disabled) co_return Error(ErrorCode::kUserDisabled, "user is disabled");
  co_return LiveSession{std::move(claims), std::move(*session), std::move(user)};
}

Task<std::string> AuthService::refresh(AppPtr app, std::string refresh_token) {
  RESTITCH_CO_TRY(const LiveSession live, co_await live_session(app, std::move(refresh_token)));
  const UserRecord& user = live.user->record;
  const std::int64_t now = now_millis();
  const std::int64_t seen = std::max(user.last_authenticated.millis, user.last_active.millis);
  if (user.is_anonymous_only() && now - seen > kDayMillis) {
    RESTITCH_CO_CHECK(co_await store_.note_activity(user.id, bson::Date{now}));
    users_.forget(user.id);
  }
  co_return co_await make_access_token(app, live.session.id, live.user, live.claims.device_id);
}

Task<void> AuthService::import_user(UserRecord user, std::vector<PasswordLogin> logins) {
  co_return co_await store_.import_user(std::move(user), std::move(logins));
}

Task<std::int64_t> AuthService::delete_idle_anonymous(AppPtr app) {
  const bson::Date before{now_millis() - kIdleDays * kDayMillis};
  RESTITCH_CO_TRY(const auto idle,
                  co_await store_.find_idle_anonymous(app->app_id, before, kIdleBatch));
  for (const bson::ObjectId& user_id : idle) {
    RESTITCH_CO_CHECK(co_await delete_user(app, user_id));
  }
  co_return static_cast<std::int64_t>(idle.size());
}

Task<void> AuthService::logout(AppPtr app, std::string refresh_token) {
  RESTITCH_CO_TRY(const RefreshClaims claims,
                  verify_refresh_token(app->realm, refresh_token, now_seconds()));
  std::vector<bson::Document> events;
  if (app->event_records) {
    RESTITCH_CO_TRY(const auto session,
                    co_await store_.find_session(app->app_id, claims.session_id));
    CachedUserPtr user;
    if (session) {
      RESTITCH_CO_TRY(user, co_await load_user(app->app_id, session->user_id));
    }
    if (user) events = events_of(*app, AuthEvent::kLogout, session->provider_type, *user);
  }
  RESTITCH_CO_TRY(const bool existed, co_await store_.delete_session(
                                          app->app_id, claims.session_id, std::move(events)));
  if (!existed)
    co_return Error(ErrorCode::kInvalidSession, "invalid session: failed to find refresh token");
  co_return Status();
}

Task<void> AuthService::delete_user(AppPtr app, bson::ObjectId user_id) {
  std::vector<bson::Document> events;
  if (app->event_records) {
    RESTITCH_CO_TRY(const CachedUserPtr user, co_await load_user(app->app_id, user_id));
    if (user) {
      std::vector<std::string> providers;
      for (const Identity& identity : user->record.identities) {
        const bool is_known = std::find(providers.begin(), providers.end(),
                                        identity.provider_type) != providers.end();
        if (!is_known) providers.push_back(identity.provider_type);
      }
      events = app->event_records(AuthEvent::kDelete, std::move(providers), *user);
    }
  }
  auto deleted = co_await store_.delete_user(app->app_id, user_id, std::move(events));
  users_.forget(user_id);
  co_return deleted;
}

}  // namespace restitch::auth
