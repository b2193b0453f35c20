#include "deployment/app_store.h"

#include "auth/store.h"

namespace restitch::deployment {
namespace {

using bson::Builder;
using bson::Document;

constexpr std::string_view kSigningKeyPurpose = "app signing key";
constexpr std::string_view kSecretPurpose = "app secret";

datasource::Collection collection(datasource::DataSource& state, std::string name) {
  return {state, std::string(auth::kStateDatabase), std::move(name)};
}

Document one_key(std::string_view name) { return bson::make_document(name, std::int32_t{1}); }

}  // namespace

AppStore::AppStore(std::shared_ptr<datasource::DataSource> state, auth::SecretBox box)
    : state_(std::move(state)),
      box_(std::move(box)),
      apps_(collection(*state_, "apps")),
      secrets_(collection(*state_, "secrets")) {}

Task<void> AppStore::prepare() {
  datasource::IndexOptions unique;
  unique.unique = true;
  const Document client_id = one_key("client_app_id");
  RESTITCH_CO_CHECK(co_await apps_.ensure_index(client_id, unique));
  const Document name = one_key("name");
  RESTITCH_CO_CHECK(co_await apps_.ensure_index(name));
  Builder secret_keys;
  secret_keys.append("app", std::int32_t{1}).append("name", std::int32_t{1});
  const Document by_name = std::move(secret_keys).finish();
  RESTITCH_CO_CHECK(co_await secrets_.ensure_index(by_name, unique));
  co_return Status();
}

Result<AppIdentity> AppStore::identity_from(bson::View document) const {
  const auto id = document["_id"].as_object_id();
  const auto client_id = document["client_app_id"].as_string();
  const auto name = document["name"].as_string();
  const auto domain = document["domain_id"].as_object_id();
  const bson::ValueView key = document["signing_key"];
  if (!id || !client_id || !name || !domain || key.type() != bson::Type::kBinary) {
    return Error(ErrorCode::kCorrupt, "a stored app is incomplete");
  }
  AppIdentity identity;
  identity.id = *id;
  identity.client_app_id = std::string(*client_id);
  identity.name = std::string(*name);
  identity.domain_id = *domain;
  RESTITCH_TRY(identity.signing_key, box_.open_sealed(key.get_binary().bytes, kSigningKeyPurpose));
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
  const Document filter = client_app_id.empty()
                              ? bson::make_document("name", name)
                              : bson::make_document("client_app_id", client_app_id);
  RESTITCH_CO_TRY(const auto found, co_await apps_.find_one(filter));
  if (found) co_return identity_from(found->view());

  AppIdentity identity;
  identity.id = bson::ObjectId::generate();
  identity.client_app_id = client_app_id.empty()
                               ? name + "-" + auth::random_text(5, "abcdefghijklmnopqrstuvwxyz")
                               : client_app_id;
  identity.name = name;
  identity.domain_id = bson::ObjectId::generate();
  identity.signing_key = auth::random_bytes(64);
  Builder builder;
  builder.append("_id", identity.id)
      .append("client_app_id", identity.client_app_id)
      .append("name", identity.name);
  builder.append("domain_id", identity.domain_id);
  builder.append_binary("signing_key", 0, box_.seal(identity.signing_key, kSigningKeyPurpose));
  builder.open_object("providers").close();
  const Document document = std::move(builder).finish();
  RESTITCH_CO_CHECK(co_await apps_.insert_one(document));
  co_return identity;
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
  co_return Status();
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

}  // namespace restitch::deployment
