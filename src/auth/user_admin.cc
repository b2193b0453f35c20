#include "auth/user_admin.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "auth/crypto.h"
#include "auth/state_queries.h"

namespace restitch::auth {
namespace {

using bson::Builder;
using bson::Document;
using bson::ObjectId;

constexpr std::string_view kKeyAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
constexpr std::size_t kMinPassword = 6;
constexpr std::size_t kMaxPassword = 128;

Error user_not_found() { return Error(ErrorCode::kUserNotFound, "user not found"); }
Error key_not_found() { return Error(ErrorCode::kApiKeyNotFound, "API key not found"); }

Status check_key_name(std::string_view name) {
  if (name.empty()) return Error(ErrorCode::kBadRequest, "'name' is a required string");
  const bool is_valid = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
  if (is_valid) return {};
  return Error(ErrorCode::kInvalidArgument,
               "API key name can only contain ASCII letters, numbers, underscores, and hyphens");
}

Document server_keys_of(const ObjectId& app) {
  Builder filter;
  filter.append("app", app).append("user", bson::Null{});
  return std::move(filter).finish();
}

ApiKey key_from(bson::View document) {
  ApiKey key;
  key.id = document["_id"].as_object_id().value_or(ObjectId{});
  key.app_id = document["app"].as_object_id().value_or(ObjectId{});
  key.name = std::string(document["name"].as_string().value_or(""));
  key.disabled = document["disabled"].as_bool().value_or(false);
  return key;
}

// What the app's triggers are told of the user.
std::vector<Document> events_of(const AppAuth& app, AuthEvent kind, const UserRecord& user) {
  if (!app.event_records) return {};
  CachedUser cached;
  cached.record = user;
  cached.data = user.merged_data();
  cached.identities = user.identities_document();
  return app.event_records(kind, {user.identities.front().provider_type}, cached);
}

}  // namespace

UserAdmin::UserAdmin(std::shared_ptr<datasource::DataSource> state, AuthService& auth)
    : auth_(auth),
      state_(std::move(state)),
      users_(collection(*state_, "users")),
      logins_(collection(*state_, "logins")),
      sessions_(collection(*state_, "sessions")),
      api_keys_(collection(*state_, "api_keys")),
      devices_(collection(*state_, "devices")) {}

Task<std::vector<UserRecord>> UserAdmin::list(ObjectId app, UserQuery query) const {
  Builder filter;
  filter.append("app", app);
  if (query.after) {
    filter.open_object("_id").append(query.descending ? "$lt" : "$gt", *query.after).close();
  }
  if (query.disabled) filter.append("disabled", *query.disabled);
  if (!query.provider_types.empty()) {
    filter.open_object("identities.provider_type").open_array("$in");
    for (const std::string& type : query.provider_types) filter.push(type);
    filter.close().close();
  }
  const Document wanted = std::move(filter).finish();
  datasource::FindOptions options;
  options.sort = bson::make_document("_id", std::int32_t{query.descending ? -1 : 1});
  options.limit = kPageSize;
  RESTITCH_CO_TRY(const auto found, co_await users_.find(wanted, options));
  std::vector<UserRecord> users;
  for (const Document& document : found) {
    RESTITCH_CO_TRY(UserRecord user, UserRecord::from_bson(document));
    users.push_back(std::move(user));
  }
  co_return users;
}

Task<UserRecord> UserAdmin::find(ObjectId app, ObjectId user) const {
  RESTITCH_CO_TRY(auto found, co_await auth_.store_.find_user(app, user));
  if (!found) co_return user_not_found();
  co_return std::move(*found);
}

Task<UserRecord> UserAdmin::create(std::shared_ptr<const AppAuth> app, std::string email,
                                   std::string password) const {
  const auto provider = app->providers.find("local-userpass");
  if (provider == app->providers.end()) {
    co_return Error(ErrorCode::kAuthProviderNotFound, "authentication provider not found");
  }
  if (email.empty()) co_return Error(ErrorCode::kBadRequest, "'email' is a required string");
  if (password.size() < kMinPassword || password.size() > kMaxPassword) {
    co_return Error(ErrorCode::kBadRequest, "password must be between 6 and 128 characters");
  }
  PasswordLogin login;
  login.id = ObjectId::generate();
  login.app_id = app->app_id;
  login.email = email;
  RESTITCH_CO_TRY(login.password_hash, co_await auth_.hash_of(std::move(password)));
  login.confirmed = true;
  auto stored = co_await auth_.store_.insert_login(login);
  if (!stored && stored.error().code() == ErrorCode::kDuplicateKey) {
    co_return Error(ErrorCode::kAccountNameInUse, "name already in use");
  }
  if (!stored) co_return std::move(stored).error();
  UserRecord user;
  user.id = ObjectId::generate();
  user.app_id = app->app_id;
  user.identities.push_back({login.id.to_hex(), "local-userpass", provider->second.id,
                             bson::make_document("email", email)});
  user.created = bson::Date{now_millis()};
  auto events = events_of(*app, AuthEvent::kCreate, user);
  RESTITCH_CO_CHECK(co_await auth_.store_.insert_user_of_login(user, login.id, std::move(events)));
  co_return user;
}

Task<void> UserAdmin::set_disabled(ObjectId app, ObjectId user, bool disabled) const {
  const Document filter = by_app_and_id(app, user);
  const Document update = set_field("disabled", disabled);
  RESTITCH_CO_TRY(const auto result, co_await users_.update_one(filter, update.view()));
  auth_.users_.forget(user);
  if (result.matched == 0) co_return user_not_found();
  co_return Status();
}

Task<void> UserAdmin::revoke_sessions(ObjectId app, ObjectId user) const {
  // Tokens say the second that they were issued in: the limit is the next one, and nobody signs in
  // again before it has begun.
  const std::int64_t limit = (now_millis() / 1000 + 1) * 1000;
  const Document filter = by_app_and_id(app, user);
  const Document update = set_field("not_before", bson::Date{limit});
  RESTITCH_CO_TRY(const auto result, co_await users_.update_one(filter, update.view()));
  auth_.users_.forget(user);
  if (result.matched == 0) co_return user_not_found();
  const Document by_user = bson::make_document("user", user);
  RESTITCH_CO_CHECK(co_await sessions_.delete_many(by_user));
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(
      std::chrono::milliseconds(std::max<std::int64_t>(0, limit - now_millis()) + 1));
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  co_return Status();
}

Task<void> UserAdmin::remove(std::shared_ptr<const AppAuth> app, ObjectId user) const {
  RESTITCH_CO_TRY(const UserRecord record, co_await find(app->app_id, user));
  if (record.type == "server") {
    for (const Identity& identity : record.identities) {
      const auto key = ObjectId::from_hex(identity.id);
      if (!key || identity.provider_type != "api-key") continue;
      const Document filter = by_app_and_id(app->app_id, *key);
      RESTITCH_CO_CHECK(co_await api_keys_.delete_one(filter));
    }
  }
  co_return co_await auth_.delete_user(app, user);
}

Task<void> UserAdmin::set_email(std::shared_ptr<const AppAuth> app, ObjectId user,
                                std::string email) const {
  if (email.empty()) co_return Error(ErrorCode::kBadRequest, "'email' is a required string");
  RESTITCH_CO_TRY(const UserRecord record, co_await find(app->app_id, user));
  for (const Identity& identity : record.identities) {
    if (identity.provider_type != "local-userpass") continue;
    const auto login = ObjectId::from_hex(identity.id);
    if (!login) continue;
    const Document filter = by_app_and_id(app->app_id, *login);
    const Document update = set_field("email", email);
    const auto renamed = co_await logins_.update_one(filter, update.view());
    if (!renamed && renamed.error().code() == ErrorCode::kDuplicateKey) {
      co_return Error(ErrorCode::kAccountNameInUse, "name already in use");
    }
    RESTITCH_CO_CHECK(renamed);
    Identity changed = identity;
    changed.data = bson::make_document("email", email);
    auto stored = co_await auth_.store_.set_identity_data(user, changed);
    auth_.users_.forget(user);
    co_return stored;
  }
  co_return Error(ErrorCode::kBadRequest, "the user has no e-mail login");
}

Task<std::vector<Document>> UserAdmin::devices(ObjectId app, ObjectId user) const {
  RESTITCH_CO_CHECK(co_await find(app, user));
  Builder filter;
  filter.append("app", app).append("user", user);
  const Document wanted = std::move(filter).finish();
  datasource::FindOptions options;
  options.sort = bson::make_document("_id", std::int32_t{1});
  co_return co_await devices_.find(wanted, options);
}

Task<std::vector<PasswordLogin>> UserAdmin::pending(ObjectId app,
                                                    std::optional<ObjectId> after) const {
  Builder filter;
  filter.append("app", app).append("confirmed", false);
  if (after) filter.open_object("_id").append("$gt", *after).close();
  const Document wanted = std::move(filter).finish();
  datasource::FindOptions options;
  options.sort = bson::make_document("_id", std::int32_t{1});
  options.limit = kPageSize;
  RESTITCH_CO_TRY(const auto found, co_await logins_.find(wanted, options));
  std::vector<PasswordLogin> logins;
  for (const Document& document : found) {
    PasswordLogin login;
    login.id = document["_id"].as_object_id().value_or(ObjectId{});
    login.app_id = app;
    login.email = std::string(document["email"].as_string().value_or(""));
    logins.push_back(std::move(login));
  }
  co_return logins;
}

Task<PasswordLogin> UserAdmin::pending_login(ObjectId app, std::string email) const {
  RESTITCH_CO_TRY(auto login, co_await auth_.store_.find_login(app, std::move(email)));
  if (!login) co_return user_not_found();
  if (login->confirmed) {
    co_return Error(ErrorCode::kUserAlreadyConfirmed, "user already confirmed");
  }
  co_return std::move(*login);
}

Task<void> UserAdmin::confirm(ObjectId app, std::string email) const {
  RESTITCH_CO_TRY(const PasswordLogin login, co_await pending_login(app, std::move(email)));
  co_return co_await auth_.store_.confirm_login(login.id);
}

Task<void> UserAdmin::remove_pending(ObjectId app, std::string email) const {
  RESTITCH_CO_TRY(const PasswordLogin login, co_await pending_login(app, std::move(email)));
  co_return co_await auth_.store_.delete_login(login.id);
}

Task<std::vector<ApiKey>> UserAdmin::server_keys(ObjectId app) const {
  const Document filter = server_keys_of(app);
  datasource::FindOptions options;
  options.sort = bson::make_document("_id", std::int32_t{1});
  RESTITCH_CO_TRY(const auto found, co_await api_keys_.find(filter, options));
  std::vector<ApiKey> keys;
  for (const Document& document : found) keys.push_back(key_from(document));
  co_return keys;
}

Task<ApiKey> UserAdmin::server_key(ObjectId app, std::string id) const {
  const auto key_id = ObjectId::from_hex(id);
  if (!key_id) co_return key_not_found();
  Builder filter;
  filter.append("_id", *key_id).append_all(server_keys_of(app));
  const Document wanted = std::move(filter).finish();
  RESTITCH_CO_TRY(const auto found, co_await api_keys_.find_one(wanted));
  if (!found) co_return key_not_found();
  co_return key_from(*found);
}

Task<CreatedApiKey> UserAdmin::create_server_key(std::shared_ptr<const AppAuth> app,
                                                 std::string name) const {
  RESTITCH_CO_CHECK(check_key_name(name));
  const auto provider = app->providers.find("api-key");
  if (provider == app->providers.end()) {
    co_return Error(ErrorCode::kAuthProviderNotFound, "authentication provider not found");
  }
  RESTITCH_CO_TRY(const auto present, co_await server_keys(app->app_id));
  if (present.size() >= kMaxServerKeys) {
    co_return Error(ErrorCode::kBadRequest, "an app can have at most 100 server API keys");
  }
  CreatedApiKey created;
  created.secret = random_text(64, kKeyAlphabet);
  created.key.id = ObjectId::generate();
  created.key.app_id = app->app_id;
  created.key.name = name;
  created.key.key_hash = sha256(created.secret);
  auto stored = co_await auth_.store_.insert_api_key(created.key);
  if (!stored && stored.error().code() == ErrorCode::kDuplicateKey) {
    co_return Error(ErrorCode::kApiKeyExists, "API key with name already exists: '" + name + "'");
  }
  if (!stored) co_return std::move(stored).error();
  UserRecord user;
  user.id = ObjectId::generate();
  user.app_id = app->app_id;
  user.type = "server";
  user.identities.push_back(
      {created.key.id.to_hex(), "api-key", provider->second.id, bson::make_document("name", name)});
  user.created = bson::Date{now_millis()};
  auto events = events_of(*app, AuthEvent::kCreate, user);
  RESTITCH_CO_CHECK(co_await auth_.store_.insert_user(user, std::move(events)));
  co_return created;
}

Task<void> UserAdmin::remove_server_key(ObjectId app, std::string id) const {
  RESTITCH_CO_TRY(const ApiKey key, co_await server_key(app, std::move(id)));
  const std::string identity = key.id.to_hex();
  RESTITCH_CO_TRY(const auto user,
                  co_await auth_.store_.find_user_by_identity(app, "api-key", identity));
  const Document filter = by_app_and_id(app, key.id);
  RESTITCH_CO_CHECK(co_await api_keys_.delete_one(filter));
  if (!user) co_return Status();
  auto deleted = co_await auth_.store_.delete_user(app, user->id);
  auth_.users_.forget(user->id);
  co_return deleted;
}

Task<void> UserAdmin::set_server_key_disabled(ObjectId app, std::string id, bool disabled) const {
  RESTITCH_CO_TRY(const ApiKey key, co_await server_key(app, std::move(id)));
  const Document filter = by_app_and_id(app, key.id);
  const Document update = set_field("disabled", disabled);
  RESTITCH_CO_CHECK(co_await api_keys_.update_one(filter, update.view()));
  co_return Status();
}

}  // namespace restitch::auth
