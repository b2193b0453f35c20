#include "deployment/app_store.h"

#include <algorithm>
#include <array>

#include "auth/state_queries.h"
#include "deployment/announcement.h"
#include "deployment/file_store.h"

namespace restitch::deployment {
namespace {

using auth::collection;
using bson::Builder;
using bson::Document;

constexpr std::string_view kSigningKeyPurpose = "app signing key";
constexpr std::size_t kSigningKeyBytes = 64;
constexpr std::size_t kMaxFormerKeys = 16;
constexpr std::string_view kSecretPurpose = "app secret";

// Collections of the state store whose documents belong to an app (member `app`).
constexpr std::array kOfApps = {"app_configs", "app_drafts",      "deployments", "secrets",
                                "users",       "logins",          "sessions",    "userpass_tokens",
                                "devices",     "push_registrations", "api_keys"};

Document one_key(std::string_view name) { return bson::make_document(name, std::int32_t{1}); }

}  // namespace

AppStore::AppStore(std::shared_ptr<datasource::DataSource> state, auth::SecretBox box,
                   bson::ObjectId node)
    : state_(std::move(state)),
      box_(std::move(box)),
      node_(node),
      apps_(collection(*state_, "apps")),
      secrets_(collection(*state_, "secrets")) {}

Task<void> AppStore::prepare() {
  datasource::IndexOptions unique;
  unique.unique = true;
  const Document client_id = one_key("client_app_id");
  RESTITCH_CO_CHECK(co_await apps_.ensure_index(client_id, unique));
  const Document name = one_key("name");
  RESTITCH_CO_CHECK(co_await apps_.ensure_index(name));
  datasource::IndexOptions unique_if_any = unique;
  unique_if_any.sparse = true;
  const Document directory_name = one_key("directory_name");
  RESTITCH_CO_CHECK(co_await apps_.ensure_index(directory_name, unique_if_any));
  Builder secret_keys;
  secret_keys.append("app", std::int32_t{1}).append("name", std::int32_t{1});
  const Document by_name = std::move(secret_keys).finish();
  RESTITCH_CO_CHECK(co_await secrets_.ensure_index(by_name, unique));
  co_return Status();
}

Result<SigningKeys> AppStore::signing_keys_from(bson::View document) const {
  const auto open = [this](bson::ValueView sealed) -> Result<std::string> {
    if (sealed.type() != bson::Type::kBinary)
      return Error(ErrorCode::kCorrupt, "a stored signing key is missing");
    return box_.open_sealed(sealed.get_binary().bytes, kSigningKeyPurpose);
  };
  SigningKeys keys;
  RESTITCH_TRY(keys.current, open(document["signing_key"]));
  if (const auto former = document["former_signing_keys"].as_array()) {
    for (const bson::Element& element : *former) {
      RESTITCH_TRY(std::string key, open(element.value));
      keys.former.push_back(std::move(key));
    }
  }
  return keys;
}

Result<AppIdentity> AppStore::identity_from(bson::View document) const {
  const auto id = document["_id"].as_object_id();
  const auto client_id = document["client_app_id"].as_string();
  const auto name = document["name"].as_string();
  const auto domain = document["domain_id"].as_object_id();
  if (!id || !client_id || !name || !domain) {
    return Error(ErrorCode::kCorrupt, "a stored app is incomplete");
  }
  AppIdentity identity;
  identity.id = *id;
  identity.client_app_id = std::string(*client_id);
  identity.name = std::string(*name);
  identity.domain_id = *domain;
  RESTITCH_TRY(identity.signing_keys, signing_keys_from(document));
  if (const auto entries = document["access_list"].as_array()) {
    identity.access_list.clear();
    for (const bson::Element& element : *entries) {
      const auto entry = element.value.as_object();
      const auto entry_id = entry ? (*entry)["_id"].as_object_id() : std::nullopt;
      const auto address = entry ? (*entry)["address"].as_string() : std::nullopt;
      if (!entry_id || !address) return Error(ErrorCode::kCorrupt, "a stored IP access list is broken");
      identity.access_list.push_back({*entry_id, std::string(*address),
                                      std::string((*entry)["comment"].as_string().value_or(""))});
    }
  }
  identity.access_list_revision = document["access_list_revision"].as_integer().value_or(0);
  const auto text = [&document](std::string_view member) {
    return std::string(document[member].as_string().value_or(""));
  };
  identity.location = text("location");
  identity.provider_region = text("provider_region");
  identity.deployment_model = text("deployment_model");
  identity.product = text("product").empty() ? "standard" : text("product");
  identity.template_id = text("template_id");
  identity.created = static_cast<std::int64_t>(identity.id.seconds());
  identity.modified = document["modified"].as_integer().value_or(identity.created);
  if (const auto providers = document["providers"].as_object()) {
    for (const bson::Element& element : *providers) {
      if (const auto provider = element.value.as_object_id()) {
        identity.provider_ids[std::string(element.name)] = *provider;
      }
    }
  }
  return identity;
}

Task<AppIdentity> AppStore::find_or_create(std::string client_app_id, std::string name) {
  Builder filter;
  if (client_app_id.empty()) {
    filter.append("name", name).open_object("from_directory").append("$ne", false).close();
  } else {
    filter.append("client_app_id", client_app_id);
  }
  const Document wanted = std::move(filter).finish();
  RESTITCH_CO_TRY(auto found, co_await apps_.find_one(wanted));
  if (found) co_return identity_from(found->view());
  NewApp fresh;
  fresh.name = std::move(name);
  auto made = co_await insert(std::move(fresh), std::move(client_app_id), true);
  if (made || made.error().code() != ErrorCode::kDuplicateKey) co_return made;
  // Another node has made it for the same directory.
  RESTITCH_CO_TRY(found, co_await apps_.find_one(wanted));
  if (!found) co_return std::move(made).error();
  co_return identity_from(found->view());
}

Task<AppIdentity> AppStore::create(NewApp app) {
  for (int attempt = 0;; ++attempt) {
    auto created = co_await insert(app, app.client_app_id, false);
    const bool is_taken = !created && created.error().code() == ErrorCode::kDuplicateKey;
    if (is_taken && !app.client_app_id.empty()) {
      co_return Error(ErrorCode::kDuplicateKey,
                      "an app with the id '" + app.client_app_id + "' exists already");
    }
    if (!is_taken || attempt == 10) co_return created;
  }
}

Task<AppIdentity> AppStore::insert(NewApp app, std::string client_app_id, bool is_from_directory) {
  std::string id = std::move(client_app_id);
  const bool is_known_by_name = id.empty() && is_from_directory;
  if (id.empty()) {
    // Lower case: the official command line lower-cases what it compares with.
    for (const char c : app.name) {
      id.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    id.append("-").append(auth::random_text(5, "abcdefghijklmnopqrstuvwxyz"));
  }
  const std::string signing_key = auth::random_bytes(kSigningKeyBytes);
  Builder builder;
  builder.append("_id", bson::ObjectId::generate()).append("client_app_id", id);
  builder.append("name", app.name).append("domain_id", bson::ObjectId::generate());
  builder.append_binary("signing_key", 0, box_.seal(signing_key, kSigningKeyPurpose));
  builder.append("from_directory", is_from_directory);
  if (is_known_by_name) builder.append("directory_name", app.name);
  builder.append("location", app.location).append("provider_region", app.provider_region);
  builder.append("deployment_model", app.deployment_model).append("product", app.product);
  if (!app.template_id.empty()) builder.append("template_id", app.template_id);
  builder.open_object("providers").close();
  const Document document = std::move(builder).finish();
  RESTITCH_CO_CHECK(co_await apps_.insert_one(document));
  co_return identity_from(document);
}

Task<std::vector<AppIdentity>> AppStore::all() {
  datasource::FindOptions oldest_first;
  oldest_first.sort = one_key("_id");
  const Document everything;
  RESTITCH_CO_TRY(const auto found, co_await apps_.find(everything, oldest_first));
  std::vector<AppIdentity> apps;
  for (const Document& document : found) {
    RESTITCH_CO_TRY(AppIdentity identity, identity_from(document));
    apps.push_back(std::move(identity));
  }
  co_return apps;
}

Task<AppIdentity> AppStore::find(bson::ObjectId app_id) {
  const Document filter = bson::make_document("_id", app_id);
  RESTITCH_CO_TRY(const auto found, co_await apps_.find_one(filter));
  if (!found) co_return Error(ErrorCode::kAppNotFound, "app not found");
  co_return identity_from(found->view());
}

Task<void> AppStore::remove(bson::ObjectId app_id) {
  const Document by_app = bson::make_document("app", app_id);
  for (const char* name : kOfApps) {
    const datasource::Collection owned = collection(*state_, name);
    RESTITCH_CO_CHECK(co_await owned.delete_many(by_app));
  }
  const FileStore files(state_);
  RESTITCH_CO_CHECK(co_await files.remove_all(app_id));
  const Document by_app_id = bson::make_document("app_id", app_id);
  const datasource::Collection logs = collection(*state_, "logs");
  RESTITCH_CO_CHECK(co_await logs.delete_many(by_app_id));
  const Document filter = bson::make_document("_id", app_id);
  RESTITCH_CO_CHECK(co_await apps_.delete_one(filter));
  co_return Status();
}

// `set` has an open $set.
Task<void> AppStore::update_app(bson::ObjectId app_id, Builder set) {
  announce(set, node_);
  set.close();
  const Document update = std::move(set).finish();
  const Document filter = bson::make_document("_id", app_id);
  RESTITCH_CO_CHECK(co_await apps_.update_one(filter, update.view()));
  co_return Status();
}

Task<void> AppStore::announce_change(bson::ObjectId app_id) {
  Builder set;
  set.open_object("$set");
  co_return co_await update_app(app_id, std::move(set));
}

Task<bson::Value> AppStore::extra(bson::ObjectId app_id, std::string member) {
  const Document filter = bson::make_document("_id", app_id);
  RESTITCH_CO_TRY(const auto found, co_await apps_.find_one(filter));
  co_return found ? bson::Value(found->view()[member]) : bson::Value();
}

Task<void> AppStore::set_extra(bson::ObjectId app_id, std::string member, bson::Value value) {
  Builder update;
  update.open_object("$set").append(member, value);
  co_return co_await update_app(app_id, std::move(update));
}

Task<void> AppStore::ensure_provider_ids(AppIdentity& identity, std::vector<std::string> types) {
  Builder update;
  update.open_object("$set");
  bool changed = false;
  for (const std::string& type : types) {
    if (identity.provider_ids.contains(type)) continue;
    const bson::ObjectId id = bson::ObjectId::generate();
    identity.provider_ids[type] = id;
    update.append("providers." + type, id);
    changed = true;
  }
  if (!changed) co_return Status();
  const Document filter = bson::make_document("_id", identity.id);
  const Document document = std::move(update).finish();
  RESTITCH_CO_CHECK(co_await apps_.update_one(filter, document.view()));
  co_return Status();
}

Task<SigningKeys> AppStore::rotate_signing_key(bson::ObjectId app_id, bool keep_former) {
  const Document filter = bson::make_document("_id", app_id);
  RESTITCH_CO_TRY(const auto found, co_await apps_.find_one(filter));
  if (!found) co_return Error(ErrorCode::kAppNotFound, "the app is not in the store");
  RESTITCH_CO_TRY(SigningKeys keys, signing_keys_from(found->view()));
  keys.former.insert(keys.former.begin(), std::move(keys.current));
  keys.former.resize(std::min(keys.former.size(), keep_former ? kMaxFormerKeys : 0));
  keys.current = auth::random_bytes(kSigningKeyBytes);
  Builder update;
  update.open_object("$set");
  update.append_binary("signing_key", 0, box_.seal(keys.current, kSigningKeyPurpose));
  update.open_array("former_signing_keys");
  for (std::size_t i = 0; i < keys.former.size(); ++i)
    update.append_binary(std::to_string(i), 0, box_.seal(keys.former[i], kSigningKeyPurpose));
  update.close();
  RESTITCH_CO_CHECK(co_await update_app(app_id, std::move(update)));
  co_return keys;
}

Task<void> AppStore::put_access_list(bson::ObjectId app_id, std::int64_t revision,
                                     std::vector<AllowedAddress> entries) {
  Builder of_revision;
  of_revision.append("_id", app_id);
  if (revision == 0) of_revision.append("access_list_revision", bson::Null{});
  if (revision > 0) of_revision.append("access_list_revision", revision);
  const Document former = std::move(of_revision).finish();
  Builder update;
  update.open_object("$set").append("access_list_revision", revision + 1);
  update.open_array("access_list");
  for (const AllowedAddress& entry : entries) {
    update.push_object().append("_id", entry.id).append("address", entry.address);
    update.append("comment", entry.comment).close();
  }
  update.close();
  announce(update, node_);
  update.close();
  const Document replacement = std::move(update).finish();
  RESTITCH_CO_TRY(const auto replaced, co_await apps_.update_one(former, replacement.view()));
  if (replaced.matched > 0) co_return Status();
  co_return Error(ErrorCode::kWriteConflict, "another node has changed the IP access list");
}

Task<void> AppStore::put_secrets(bson::ObjectId app_id,
                                 std::map<std::string, std::string> secrets) {
  for (const auto& [name, value] : secrets) {
    Builder filter;
    filter.append("app", app_id).append("name", name);
    const Document by_name = std::move(filter).finish();
    Builder update;
    update.open_object("$set").append_binary("value", 0, box_.seal(value, kSecretPurpose)).close();
    const Document document = std::move(update).finish();
    datasource::UpdateOptions upsert;
    upsert.upsert = true;
    RESTITCH_CO_CHECK(co_await secrets_.update_one(by_name, document.view(), upsert));
  }
  if (secrets.empty()) co_return Status();
  co_return co_await announce_change(app_id);
}

Task<std::map<std::string, std::string>> AppStore::secrets(bson::ObjectId app_id) {
  const Document filter = bson::make_document("app", app_id);
  RESTITCH_CO_TRY(const auto found, co_await secrets_.find(filter));
  std::map<std::string, std::string> secrets;
  for (const Document& document : found) {
    const auto name = document["name"].as_string();
    const bson::ValueView value = document["value"];
    if (!name || value.type() != bson::Type::kBinary)
      co_return Error(ErrorCode::kCorrupt, "a stored secret is incomplete");
    RESTITCH_CO_TRY(std::string plain, box_.open_sealed(value.get_binary().bytes, kSecretPurpose));
    secrets.emplace(*name, std::move(plain));
  }
  co_return secrets;
}

Task<std::vector<SecretName>> AppStore::secret_names(bson::ObjectId app_id) {
  const Document filter = bson::make_document("app", app_id);
  datasource::FindOptions oldest_first;
  oldest_first.sort = one_key("_id");
  RESTITCH_CO_TRY(const auto found, co_await secrets_.find(filter, oldest_first));
  std::vector<SecretName> names;
  for (const Document& document : found) {
    const auto id = document["_id"].as_object_id();
    const auto name = document["name"].as_string();
    if (id && name) names.push_back({*id, std::string(*name)});
  }
  co_return names;
}

Task<bson::ObjectId> AppStore::create_secret(bson::ObjectId app_id, std::string name,
                                             std::string value) {
  const bson::ObjectId id = bson::ObjectId::generate();
  Builder builder;
  builder.append("_id", id).append("app", app_id).append("name", name);
  builder.append_binary("value", 0, box_.seal(value, kSecretPurpose));
  const Document document = std::move(builder).finish();
  RESTITCH_CO_CHECK(co_await secrets_.insert_one(document));
  RESTITCH_CO_CHECK(co_await announce_change(app_id));
  co_return id;
}

Task<void> AppStore::update_secret(bson::ObjectId app_id, bson::ObjectId id, std::string name,
                                   std::string value) {
  Builder filter;
  filter.append("_id", id).append("app", app_id);
  const Document by_id = std::move(filter).finish();
  Builder update;
  update.open_object("$set").append("name", name);
  if (!value.empty()) update.append_binary("value", 0, box_.seal(value, kSecretPurpose));
  update.close();
  const Document document = std::move(update).finish();
  RESTITCH_CO_CHECK(co_await secrets_.update_one(by_id, document.view()));
  co_return co_await announce_change(app_id);
}

Task<void> AppStore::delete_secret(bson::ObjectId app_id, bson::ObjectId id) {
  Builder filter;
  filter.append("_id", id).append("app", app_id);
  const Document by_id = std::move(filter).finish();
  RESTITCH_CO_CHECK(co_await secrets_.delete_one(by_id));
  co_return co_await announce_change(app_id);
}

}  // namespace restitch::deployment
