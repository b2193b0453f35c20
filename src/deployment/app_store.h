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
};

// Identities and secrets of apps in the state store. Thread-safe.
class AppStore {
 public:
  AppStore(std::shared_ptr<datasource::DataSource> state, auth::SecretBox box);

  Task<void> prepare();

  // The app of that client id; without one, the app of that name; made anew if there is none. A
  // made client id is
  // "<name>-<5 letters>" and is kept, so that the next start of the same directory finds the same
  // app.
  Task<AppIdentity> find_or_create(std::string client_app_id, std::string name);
  // Gives every provider type an id that it keeps.
  Task<void> ensure_provider_ids(AppIdentity& identity, std::vector<std::string> types);

  // A new key; the former ones stay (the newest 16), or are forgotten.
  Task<SigningKeys> rotate_signing_key(bson::ObjectId app_id, bool keep_former);
  Task<void> put_access_list(bson::ObjectId app_id, std::vector<AllowedAddress> entries);

  Task<void> put_secrets(bson::ObjectId app_id, std::map<std::string, std::string> secrets);
  Task<std::map<std::string, std::string>> secrets(bson::ObjectId app_id);

 private:
  Result<AppIdentity> identity_from(bson::View document) const;
  Result<SigningKeys> signing_keys_from(bson::View document) const;

  std::shared_ptr<datasource::DataSource> state_;
  auth::SecretBox box_;
  datasource::Collection apps_, secrets_;
};

}  // namespace restitch::deployment
