#include "auth/store.h"

#include "auth/state_queries.h"

namespace restitch::auth {
namespace {

using bson::Builder;
using bson::Document;
using bson::ObjectId;

const datasource::UpdateOptions no_options;
constexpr std::int64_t kMaxDevices = 50;

Document owned_key(ObjectId app_id, ObjectId user_id, ObjectId key_id) {
  Builder filter;
  filter.append("_id", key_id).append("app", app_id).append("user", user_id);
  return std::move(filter).finish();
}

Document push_identity(const Identity& identity) {
  Builder builder;
  builder.open_object("$push").open_object("identities");
  builder.append("id", identity.id).append("provider_type", identity.provider_type);
  builder.append("provider_id", identity.provider_id).append("data", identity.data);
  return std::move(builder).finish();
}

Document keys(std::initializer_list<std::string_view> names) {
  Builder out;
  for (const std::string_view name : names) out.append(name, std::int32_t{1});
  return std::move(out).finish();
}

Result<PasswordLogin> login_from(bson::View document) {
  const auto id = document["_id"].as_object_id();
  const auto app = document["app"].as_object_id();
  const auto email = document["email"].as_string();
  const auto hash = document["password_hash"].as_string();
  if (!id || !app || !email || !hash) return Error(ErrorCode::kCorrupt, "a stored login is incomplete");
  return PasswordLogin{*id, *app, std::string(*email), std::string(*hash),
                       document["confirmed"].as_bool().value_or(false), document["user"].as_object_id()};
}

Document document_of(const PasswordLogin& login) {
  Builder builder;
  builder.append("_id", login.id).append("app", login.app_id).append("email", login.email);
  builder.append("password_hash", login.password_hash).append("confirmed", login.confirmed);
  if (login.user_id) builder.append("user", *login.user_id);
  return std::move(builder).finish();
}

Result<Session> session_from(bson::View document) {
  const auto id = document["_id"].as_object_id();
  const auto app = document["app"].as_object_id();
  const auto user = document["user"].as_object_id();
  if (!id || !app || !user) return Error(ErrorCode::kCorrupt, "a stored session is incomplete");
  Session session;
  session.id = *id;
  session.app_id = *app;
  session.user_id = *user;
  session.device_id = std::string(document["device"].as_string().value_or(""));
  session.provider_type = std::string(document["provider_type"].as_string().value_or(""));
  session.api_key_id = document["api_key"].as_object_id();
  if (document["created"].type() == bson::Type::kDate) session.created = document["created"].get_date();
  if (document["expires"].type() == bson::Type::kDate) session.expires = document["expires"].get_date();
  return session;
}

Result<ApiKey> api_key_from(bson::View document) {
  const auto id = document["_id"].as_object_id();
  const auto app = document["app"].as_object_id();
  const auto name = document["name"].as_string();
  const bson::ValueView hash = document["key_hash"];
  if (!id || !app || !name || hash.type() != bson::Type::kBinary) {
    return Error(ErrorCode::kCorrupt, "a stored API key is incomplete");
  }
  return ApiKey{*id, *app, document["user"].as_object_id(), std::string(*name), std::string(hash.get_binary().bytes),
                document["disabled"].as_bool().value_or(false)};
}

std::string_view name_of(UserpassToken::Purpose purpose) {
  return purpose == UserpassToken::Purpose::kConfirm ? "confirm" : "reset";
}

// Reads an optional found document with `read`.
template <typename T>
Result<std::optional<T>> read_found(const std::optional<Document>& found, Result<T> (*read)(bson::View)) {
  if (!found) return std::optional<T>();
  RESTITCH_TRY(T value, read(found->view()));
  return std::optional<T>(std::move(value));
}

}  // namespace

AuthStore::AuthStore(std::shared_ptr<datasource::DataSource> state)
    : state_(std::move(state)),
      trigger_events_(collection(*state_, "trigger_events")),
      users_(collection(*state_, "users")),
      logins_(collection(*state_, "logins")),
      tokens_(collection(*state_, "userpass_tokens")),
      sessions_(collection(*state_, "sessions")),
      api_keys_(collection(*state_, "api_keys")),
      devices_(collection(*state_, "devices")),
      push_registrations_(collection(*state_, "push_registrations")) {}

Task<void> AuthStore::prepare() {
  datasource::IndexOptions unique;
  unique.unique = true;
  const Document identity_keys = keys({"app", "identities.provider_type", "identities.id"});
  RESTITCH_CO_CHECK(co_await users_.ensure_index(identity_keys, unique));
  const Document email_keys = keys({"app", "email"});
  RESTITCH_CO_CHECK(co_await logins_.ensure_index(email_keys, unique));
  const Document login_user = keys({"user"});
  RESTITCH_CO_CHECK(co_await logins_.ensure_index(login_user));
  const Document idle = keys({"app", "identities.provider_type", "last_authenticated"});
  RESTITCH_CO_CHECK(co_await users_.ensure_index(idle));
  const Document device_keys = keys({"app", "user", "device"});
  RESTITCH_CO_CHECK(co_await devices_.ensure_index(device_keys, unique));
  const Document session_user = keys({"user"});
  RESTITCH_CO_CHECK(co_await sessions_.ensure_index(session_user));
  datasource::IndexOptions expiring;
  expiring.expire_after_seconds = 0;
  const Document expires = keys({"expires"});
  RESTITCH_CO_CHECK(co_await sessions_.ensure_index(expires, expiring));
  RESTITCH_CO_CHECK(co_await tokens_.ensure_index(expires, expiring));
  const Document token_login = keys({"login"});
  RESTITCH_CO_CHECK(co_await tokens_.ensure_index(token_login));
  const Document hash_keys = keys({"app", "key_hash"});
  RESTITCH_CO_CHECK(co_await api_keys_.ensure_index(hash_keys, unique));
  const Document name_keys = keys({"app", "user", "name"});
  RESTITCH_CO_CHECK(co_await api_keys_.ensure_index(name_keys, unique));
  const Document event_keys = keys({"app", "trigger", "_id"});
  RESTITCH_CO_CHECK(co_await trigger_events_.ensure_index(event_keys));
  co_return Status();
}

template <typename F>
Task<void> AuthStore::write_with(std::vector<Document> events, F write) const {
  if (events.empty()) {
    const datasource::CallOptions alone;
    co_return co_await write(alone);
  }
  const auto body = [&](datasource::ClientTransaction& transaction) -> Task<void> {
    const datasource::CallOptions options{&transaction};
    RESTITCH_CO_CHECK(co_await write(options));
    RESTITCH_CO_CHECK(co_await trigger_events_.insert_many(events, options));
    co_return Status();
  };
  co_return co_await datasource::with_transaction(*state_, body);
}

Task<std::optional<UserRecord>> AuthStore::find_user(ObjectId app_id, ObjectId user_id) const {
  const Document filter = by_app_and_id(app_id, user_id);
  RESTITCH_CO_TRY(const auto found, co_await users_.find_one(filter));
  co_return read_found<UserRecord>(found, UserRecord::from_bson);
}

Task<std::optional<UserRecord>> AuthStore::find_user_by_identity(ObjectId app_id, std::string provider_type,
                                                                 std::string identity_id) const {
  Builder builder;
  builder.append("app", app_id).open_object("identities").open_object("$elemMatch");
  builder.append("provider_type", provider_type).append("id", identity_id);
  const Document filter = std::move(builder).finish();
  RESTITCH_CO_TRY(const auto found, co_await users_.find_one(filter));
  co_return read_found<UserRecord>(found, UserRecord::from_bson);
}

Task<void> AuthStore::insert_user(UserRecord user, std::vector<Document> events) const {
  const Document document = user.to_bson();
  const auto insert = [&](datasource::CallOptions options) -> Task<void> {
    RESTITCH_CO_CHECK(co_await users_.insert_one(document, options));
    co_return Status();
  };
  co_return co_await write_with(std::move(events), insert);
}

Task<void> AuthStore::insert_user_of_login(UserRecord user, ObjectId login_id,
                                           std::vector<Document> events) const {
  const Document document = user.to_bson();
  const Document login = bson::make_document("_id", login_id);
  const Document attach = set_field("user", user.id);
  const auto body = [&](datasource::ClientTransaction& transaction) -> Task<void> {
        const datasource::CallOptions options{&transaction};
        RESTITCH_CO_CHECK(co_await users_.insert_one(document, options));
        RESTITCH_CO_CHECK(co_await logins_.update_one(login, attach.view(), no_options, options));
        if (events.empty()) co_return Status();
        RESTITCH_CO_CHECK(co_await trigger_events_.insert_many(events, options));
        co_return Status();
      };
  co_return co_await datasource::with_transaction(*state_, body);
}

Task<void> AuthStore::add_identity(ObjectId user_id, Identity identity,
                                   std::vector<Document> events) const {
  const Document filter = bson::make_document("_id", user_id);
  const Document update = push_identity(identity);
  const auto push = [&](datasource::CallOptions options) -> Task<void> {
    RESTITCH_CO_CHECK(co_await users_.update_one(filter, update.view(), no_options, options));
    co_return Status();
  };
  co_return co_await write_with(std::move(events), push);
}

Task<void> AuthStore::set_identity_data(ObjectId user_id, Identity identity) const {
  Builder filter_builder;
  filter_builder.append("_id", user_id).open_object("identities").open_object("$elemMatch");
  filter_builder.append("provider_type", identity.provider_type).append("id", identity.id);
  const Document filter = std::move(filter_builder).finish();
  const Document update = set_field("identities.$.data", identity.data);
  RESTITCH_CO_CHECK(co_await users_.update_one(filter, update.view()));
  co_return Status();
}

Task<void> AuthStore::touch_user(ObjectId user_id, bson::Date now) const {
  const Document filter = bson::make_document("_id", user_id);
  const Document update = set_field("last_authenticated", now);
  datasource::CallOptions relaxed;
  relaxed.relaxed_durability = true;
  RESTITCH_CO_CHECK(co_await users_.update_one(filter, update.view(), no_options, relaxed));
  co_return Status();
}

Task<void> AuthStore::delete_user(ObjectId app_id, ObjectId user_id,
                                  std::vector<Document> events) const {
  const Document filter = by_app_and_id(app_id, user_id);
  const Document by_user = bson::make_document("user", user_id);
  const auto body = [&](datasource::ClientTransaction& transaction) -> Task<void> {
        const datasource::CallOptions options{&transaction};
        RESTITCH_CO_CHECK(co_await users_.delete_one(filter, options));
        RESTITCH_CO_CHECK(co_await logins_.delete_many(by_user, options));
        RESTITCH_CO_CHECK(co_await api_keys_.delete_many(by_user, options));
        RESTITCH_CO_CHECK(co_await sessions_.delete_many(by_user, options));
        RESTITCH_CO_CHECK(co_await devices_.delete_many(by_user, options));
        RESTITCH_CO_CHECK(co_await push_registrations_.delete_many(by_user, options));
        if (events.empty()) co_return Status();
        RESTITCH_CO_CHECK(co_await trigger_events_.insert_many(events, options));
        co_return Status();
      };
  co_return co_await datasource::with_transaction(*state_, body);
}

Task<std::optional<PasswordLogin>> AuthStore::find_login(ObjectId app_id, std::string email) const {
  Builder builder;
  builder.append("app", app_id).append("email", email);
  const Document filter = std::move(builder).finish();
  RESTITCH_CO_TRY(const auto found, co_await logins_.find_one(filter));
  co_return read_found<PasswordLogin>(found, login_from);
}

Task<void> AuthStore::insert_login(PasswordLogin login) const {
  const Document document = document_of(login);
  RESTITCH_CO_CHECK(co_await logins_.insert_one(document));
  co_return Status();
}

Task<void> AuthStore::import_user(UserRecord user, std::vector<PasswordLogin> logins) const {
  const Document document = user.to_bson();
  std::vector<Document> login_documents;
  for (const PasswordLogin& login : logins) login_documents.push_back(document_of(login));
  const auto body = [&](datasource::ClientTransaction& transaction) -> Task<void> {
    const datasource::CallOptions options{&transaction};
    RESTITCH_CO_CHECK(co_await users_.insert_one(document, options));
    for (const Document& login : login_documents) {
      RESTITCH_CO_CHECK(co_await logins_.insert_one(login, options));
    }
    co_return Status();
  };
  co_return co_await datasource::with_transaction(*state_, body);
}

Task<void> AuthStore::confirm_login(ObjectId login_id) const {
  const Document filter = bson::make_document("_id", login_id);
  const Document update = set_field("confirmed", true);
  RESTITCH_CO_CHECK(co_await logins_.update_one(filter, update.view()));
  co_return Status();
}

Task<void> AuthStore::delete_login(ObjectId login_id) const {
  const Document filter = bson::make_document("_id", login_id);
  const Document tokens = bson::make_document("login", login_id);
  RESTITCH_CO_CHECK(co_await tokens_.delete_many(tokens));
  RESTITCH_CO_CHECK(co_await logins_.delete_one(filter));
  co_return Status();
}

Task<void> AuthStore::set_password(PasswordLogin login, std::string password_hash, bson::Date now) const {
  const Document filter = bson::make_document("_id", login.id);
  const Document set_hash = set_field("password_hash", password_hash);
  const Document set_time = set_field("not_before", now);
  const auto body = [&](datasource::ClientTransaction& transaction) -> Task<void> {
    const datasource::CallOptions options{&transaction};
    RESTITCH_CO_CHECK(co_await logins_.update_one(filter, set_hash.view(), no_options, options));
    if (!login.user_id) co_return Status();
    const Document user = bson::make_document("_id", *login.user_id);
    RESTITCH_CO_CHECK(co_await users_.update_one(user, set_time.view(), no_options, options));
    co_return Status();
  };
  co_return co_await datasource::with_transaction(*state_, body);
}

Task<void> AuthStore::replace_password_hash(ObjectId login_id, std::string former, std::string fresh) const {
  Builder builder;
  builder.append("_id", login_id).append("password_hash", former);
  const Document filter = std::move(builder).finish();
  const Document update = set_field("password_hash", fresh);
  RESTITCH_CO_CHECK(co_await logins_.update_one(filter, update.view()));
  co_return Status();
}

Task<void> AuthStore::insert_token(UserpassToken token) const {
  Builder builder;
  builder.append("_id", token.id).append("app", token.app_id).append("login", token.login_id);
  builder.append("purpose", name_of(token.purpose)).append_binary("token_hash", 0, token.token_hash);
  builder.append("expires", token.expires);
  const Document document = std::move(builder).finish();
  RESTITCH_CO_CHECK(co_await tokens_.insert_one(document));
  co_return Status();
}

Task<std::optional<PasswordLogin>> AuthStore::take_token(UserpassToken token, bson::Date now) const {
  Builder builder;
  builder.append("_id", token.id).append("app", token.app_id).append("purpose", name_of(token.purpose));
  builder.append_binary("token_hash", 0, token.token_hash);
  builder.open_object("expires").append("$gt", now).close();
  const Document filter = std::move(builder).finish();
  RESTITCH_CO_TRY(const auto taken, co_await tokens_.find_one_and_delete(filter));
  const auto login_id = taken ? (*taken)["login"].as_object_id() : std::nullopt;
  if (!login_id) co_return std::optional<PasswordLogin>();
  const Document by_id = bson::make_document("_id", *login_id);
  RESTITCH_CO_TRY(const auto found, co_await logins_.find_one(by_id));
  co_return read_found<PasswordLogin>(found, login_from);
}

Task<void> AuthStore::link_login(ObjectId login_id, ObjectId user_id, Identity identity,
                                 std::vector<Document> events) const {
  const Document user = bson::make_document("_id", user_id);
  const Document push = push_identity(identity);
  const Document login = bson::make_document("_id", login_id);
  const Document attach = set_field("user", user_id);
  const auto body = [&](datasource::ClientTransaction& transaction) -> Task<void> {
        const datasource::CallOptions options{&transaction};
        RESTITCH_CO_CHECK(co_await users_.update_one(user, push.view(), no_options, options));
        RESTITCH_CO_CHECK(co_await logins_.update_one(login, attach.view(), no_options, options));
        if (events.empty()) co_return Status();
        RESTITCH_CO_CHECK(co_await trigger_events_.insert_many(events, options));
        co_return Status();
      };
  co_return co_await datasource::with_transaction(*state_, body);
}

Task<std::optional<ObjectId>> AuthStore::find_device(ObjectId app_id, ObjectId user_id, std::string likeness) const {
  Builder builder;
  builder.append("app", app_id).append("user", user_id).append("likeness", likeness);
  const Document filter = std::move(builder).finish();
  RESTITCH_CO_TRY(const auto found, co_await devices_.find_one(filter));
  co_return found ? (*found)["device"].as_object_id() : std::optional<ObjectId>();
}

Task<void> AuthStore::put_device(ObjectId app_id, ObjectId user_id, Device device) const {
  Builder builder;
  builder.append("app", app_id).append("user", user_id).append("device", *device.id);
  const Document filter = std::move(builder).finish();
  Builder set;
  set.open_object("$set").append("likeness", device.likeness).append("fields", device.fields);
  set.append("last_seen", bson::Date{now_millis()}).close();
  const Document update = std::move(set).finish();
  datasource::UpdateOptions upsert;
  upsert.upsert = true;
  datasource::CallOptions relaxed;
  relaxed.relaxed_durability = true;
  auto stored = co_await devices_.update_one(filter, update.view(), upsert, relaxed);
  // Another sign-in from the device was faster.
  if (!stored && stored.error().code() != ErrorCode::kDuplicateKey) co_return std::move(stored).error();
  co_return Status();
}

Task<void> AuthStore::trim_devices(ObjectId app_id, ObjectId user_id) const {
  Builder builder;
  builder.append("app", app_id).append("user", user_id);
  const Document filter = std::move(builder).finish();
  datasource::FindOptions newest_first;
  newest_first.sort = bson::make_document("last_seen", std::int32_t{-1});
  newest_first.skip = kMaxDevices;
  RESTITCH_CO_TRY(const auto surplus, co_await devices_.find(filter, newest_first));
  for (const Document& device : surplus) {
    const Document by_id = bson::make_document("_id", device["_id"]);
    RESTITCH_CO_CHECK(co_await devices_.delete_one(by_id));
  }
  co_return Status();
}

Task<std::vector<ObjectId>> AuthStore::find_idle_anonymous(ObjectId app_id, bson::Date before, std::int64_t limit) const {
  Builder builder;
  builder.append("app", app_id).append("identities.provider_type", "anon-user");
  builder.open_object("last_authenticated").append("$lt", before).close();
  builder.open_object("last_active").open_object("$not").append("$gte", before).close().close();
  builder.open_object("identities").append("$size", std::int32_t{1}).close();
  const Document filter = std::move(builder).finish();
  datasource::FindOptions some;
  some.limit = limit;
  RESTITCH_CO_TRY(const auto found, co_await users_.find(filter, some));
  std::vector<ObjectId> ids;
  for (const Document& user : found) {
    if (const auto id = user["_id"].as_object_id()) ids.push_back(*id);
  }
  co_return ids;
}

Task<void> AuthStore::note_activity(ObjectId user_id, bson::Date now) const {
  const Document filter = bson::make_document("_id", user_id);
  const Document update = set_field("last_active", now);
  datasource::CallOptions relaxed;
  relaxed.relaxed_durability = true;
  RESTITCH_CO_CHECK(co_await users_.update_one(filter, update.view(), no_options, relaxed));
  co_return Status();
}

Task<void> AuthStore::insert_session(Session session, std::vector<Document> events) const {
  Builder builder;
  builder.append("_id", session.id).append("app", session.app_id).append("user", session.user_id);
  builder.append("device", session.device_id).append("provider_type", session.provider_type);
  if (session.api_key_id) builder.append("api_key", *session.api_key_id);
  builder.append("created", session.created).append("expires", session.expires);
  const Document document = std::move(builder).finish();
  const auto insert = [&](datasource::CallOptions options) -> Task<void> {
    RESTITCH_CO_CHECK(co_await sessions_.insert_one(document, options));
    co_return Status();
  };
  co_return co_await write_with(std::move(events), insert);
}

Task<std::optional<Session>> AuthStore::find_session(ObjectId app_id, ObjectId session_id) const {
  const Document filter = by_app_and_id(app_id, session_id);
  RESTITCH_CO_TRY(const auto found, co_await sessions_.find_one(filter));
  co_return read_found<Session>(found, session_from);
}

Task<bool> AuthStore::delete_session(ObjectId app_id, ObjectId session_id,
                                     std::vector<Document> events) const {
  const Document filter = by_app_and_id(app_id, session_id);
  std::int64_t deleted = 0;
  const auto remove = [&](datasource::CallOptions options) -> Task<void> {
    RESTITCH_CO_TRY(deleted, co_await sessions_.delete_one(filter, options));
    co_return Status();
  };
  RESTITCH_CO_CHECK(co_await write_with(std::move(events), remove));
  co_return deleted > 0;
}

Task<void> AuthStore::delete_sessions_of_key(ObjectId user_id, ObjectId key_id) const {
  Builder builder;
  builder.append("user", user_id).append("api_key", key_id);
  const Document filter = std::move(builder).finish();
  RESTITCH_CO_CHECK(co_await sessions_.delete_many(filter));
  co_return Status();
}

Task<void> AuthStore::insert_api_key(ApiKey key) const {
  Builder builder;
  builder.append("_id", key.id).append("app", key.app_id);
  if (key.user_id) builder.append("user", *key.user_id);
  builder.append("name", key.name).append_binary("key_hash", 0, key.key_hash).append("disabled", key.disabled);
  const Document document = std::move(builder).finish();
  RESTITCH_CO_CHECK(co_await api_keys_.insert_one(document));
  co_return Status();
}

Task<std::optional<ApiKey>> AuthStore::find_api_key_by_hash(ObjectId app_id, std::string key_hash) const {
  Builder builder;
  builder.append("app", app_id).append_binary("key_hash", 0, key_hash);
  const Document filter = std::move(builder).finish();
  RESTITCH_CO_TRY(const auto found, co_await api_keys_.find_one(filter));
  co_return read_found<ApiKey>(found, api_key_from);
}

Task<std::optional<ApiKey>> AuthStore::find_api_key(ObjectId app_id, ObjectId user_id, ObjectId key_id) const {
  const Document filter = owned_key(app_id, user_id, key_id);
  RESTITCH_CO_TRY(const auto found, co_await api_keys_.find_one(filter));
  co_return read_found<ApiKey>(found, api_key_from);
}

Task<std::vector<ApiKey>> AuthStore::list_api_keys(ObjectId app_id, ObjectId user_id) const {
  Builder builder;
  builder.append("app", app_id).append("user", user_id);
  const Document filter = std::move(builder).finish();
  datasource::FindOptions oldest_first;
  oldest_first.sort = keys({"_id"});
  RESTITCH_CO_TRY(const auto found, co_await api_keys_.find(filter, oldest_first));
  std::vector<ApiKey> list;
  for (const Document& document : found) {
    RESTITCH_CO_TRY(ApiKey key, api_key_from(document));
    list.push_back(std::move(key));
  }
  co_return list;
}

Task<bool> AuthStore::delete_api_key(ObjectId app_id, ObjectId user_id, ObjectId key_id) const {
  const Document filter = owned_key(app_id, user_id, key_id);
  RESTITCH_CO_TRY(const std::int64_t deleted, co_await api_keys_.delete_one(filter));
  co_return deleted > 0;
}

Task<bool> AuthStore::set_api_key_disabled(ObjectId app_id, ObjectId user_id, ObjectId key_id, bool disabled) const {
  const Document filter = owned_key(app_id, user_id, key_id);
  const Document update = set_field("disabled", disabled);
  RESTITCH_CO_TRY(const datasource::UpdateResult result, co_await api_keys_.update_one(filter, update.view()));
  co_return result.matched > 0;
}

}  // namespace restitch::auth
