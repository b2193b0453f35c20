#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/crypto.h"
#include "bson/document.h"
#include "datasource/client.h"
#include "runtime/task.h"

namespace restitch::deployment {

// An entry of an app's IP access list.
struct AllowedAddress {
  bson::ObjectId id;
  std::string address;  // IP address or CIDR network
  std::string comment;
};
// What a new app's list holds. It stands for the addresses of both families.
inline constexpr std::string_view kAnyAddress = "0.0.0.0/0";

// Plain in memory, sealed in the store.
struct SigningKeys {
  std::string current;
  std::vector<std::string> former;  // newest first
};

// What an app keeps over its deployments (collection `apps` of the state store).
struct AppIdentity {
  bson::ObjectId id;
  std::string client_app_id, name;
  bson::ObjectId domain_id;
  SigningKeys signing_keys;
  std::map<std::string, bson::ObjectId> provider_ids;  // by provider type
  // IP access list: who may reach the app's client API. Nobody when it is empty.
  std::vector<AllowedAddress> access_list{{bson::ObjectId(), std::string(kAnyAddress), ""}};
  std::int64_t access_list_revision = 0;  // grows by one with each change
  // As the app was created; told, not used.
  std::string location, provider_region, deployment_model, product, template_id;
  std::int64_t created = 0, modified = 0;  // seconds
};

// What the Admin API's callers choose for a new app.
struct NewApp {
  std::string name;
  std::string client_app_id;  // that clients know already; "" = made of the name
  std::string location = "US-VA";
  std::string provider_region = "aws-us-east-1";
  std::string deployment_model = "GLOBAL";
  std::string product = "standard";
  std::string template_id;
};

// A secret of an app, without its value.
struct SecretName {
  bson::ObjectId id;
  std::string name;
};

// Identities and secrets of apps in the state store. Thread-safe.
class AppStore {
 public:
  // `node` is the mark that this node's announcements carry (announcement.h): whatever changes an app
  // here is announced.
  AppStore(std::shared_ptr<datasource::DataSource> state, auth::SecretBox box, bson::ObjectId node);

  Task<void> prepare();

  // The app of that client id; without one, the app of that name; made anew if there is none. A
  // made client id is
  // "<name>-<5 letters>" and is kept, so that the next start of the same directory finds the same
  // app.
  Task<AppIdentity> find_or_create(std::string client_app_id, std::string name);
  // A new app, whatever others are called. kDuplicateKey if its client app id is taken.
  Task<AppIdentity> create(NewApp app);
  Task<std::vector<AppIdentity>> all();
  // As it is now. kAppNotFound.
  Task<AppIdentity> find(bson::ObjectId app_id);
  // The app and everything that is stored of it.
  Task<void> remove(bson::ObjectId app_id);
  // Members of the app's document that only administration uses ("settings", "features", …).
  Task<bson::Value> extra(bson::ObjectId app_id, std::string member);
  Task<void> set_extra(bson::ObjectId app_id, std::string member, bson::Value value);
  // Gives every provider type an id that it keeps.
  Task<void> ensure_provider_ids(AppIdentity& identity, std::vector<std::string> types);

  // A new key; the former ones stay (the newest 16), or are forgotten.
  Task<SigningKeys> rotate_signing_key(bson::ObjectId app_id, bool keep_former);
  // In the place of the list of that revision; kWriteConflict when another one is stored.
  Task<void> put_access_list(bson::ObjectId app_id, std::int64_t revision,
                             std::vector<AllowedAddress> entries);

  Task<void> put_secrets(bson::ObjectId app_id, std::map<std::string, std::string> secrets);
  Task<std::map<std::string, std::string>> secrets(bson::ObjectId app_id);
  // In the order of their creation.
  Task<std::vector<SecretName>> secret_names(bson::ObjectId app_id);
  // kDuplicateKey when there is one of that name.
  Task<bson::ObjectId> create_secret(bson::ObjectId app_id, std::string name, std::string value);
  // Renames it and, unless `value` is empty, replaces the value.
  Task<void> update_secret(bson::ObjectId app_id, bson::ObjectId id, std::string name,
                           std::string value);
  Task<void> delete_secret(bson::ObjectId app_id, bson::ObjectId id);

 private:
  Result<AppIdentity> identity_from(bson::View document) const;
  Result<SigningKeys> signing_keys_from(bson::View document) const;
  Task<AppIdentity> insert(NewApp app, std::string client_app_id, bool is_from_directory);
  Task<void> update_app(bson::ObjectId app_id, bson::Builder set);
  Task<void> announce_change(bson::ObjectId app_id);

  std::shared_ptr<datasource::DataSource> state_;
  auth::SecretBox box_;
  bson::ObjectId node_;
  datasource::Collection apps_, secrets_;
};

}  // namespace restitch::deployment
