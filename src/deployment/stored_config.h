#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::deployment {

enum class EntityKind : std::uint8_t {
  kService,  // data sources and third-party services
  kDefaultRule,
  kRule,
  kSchema,
  kWebhook,
  kFunction,
  kAuthProvider,
  kValue,
  kEnvironmentValue,
  kTrigger,
  kEndpoint,
  kResolver,
  kLogForwarder,
  kSettings,  // one of a kind; the name is the path of its file, "" for the app's own settings
};

// Names of settings: files of the layout of 20210101.
inline constexpr std::string_view kAppSettings;  // environment, allowed_request_origins
inline constexpr std::string_view kCustomUserData = "auth/custom_user_data.json";
inline constexpr std::string_view kGraphqlConfig = "graphql/config.json";
inline constexpr std::string_view kGraphqlValidation = "graphql/validation_settings.json";
inline constexpr std::string_view kHostingConfig = "hosting/config.json";
inline constexpr std::string_view kHostingMetadata = "hosting/metadata.json";
inline constexpr std::string_view kSyncConfig = "sync/config.json";
inline constexpr std::string_view kDataApi = "http_endpoints/data_api_config.json";

// One thing of a configuration that has an id of its own.
struct Entity {
  bson::ObjectId id;
  EntityKind kind = EntityKind::kSettings;
  bson::ObjectId service;  // that it belongs to: rules, schemas, webhooks
  std::string name;        // unique among its kind (and service), see name_of_entity()
  bson::Value body;    // plain JSON as its file has it, without ids; a function's manifest entry
  std::string path;    // functions: of the source below functions/, without ".js"
  std::string source;  // functions and webhooks
  std::int64_t modified = 0;  // seconds
  std::string given_id;       // imports: the id that the file has; not stored
};

// A configuration as the state store keeps it: what a directory holds, with an id for everything.
struct StoredConfig {
  std::vector<Entity> entities;  // in the order of their creation

  const Entity* find(EntityKind kind, const bson::ObjectId& id) const;
  Entity* find(EntityKind kind, const bson::ObjectId& id);
  const Entity* find_named(EntityKind kind, std::string_view name,
                           const bson::ObjectId& service = {}) const;
  Entity* find_named(EntityKind kind, std::string_view name, const bson::ObjectId& service = {});
  // kNotFound when the text is no id or nothing has it.
  Result<const Entity*> require(EntityKind kind, std::string_view hex) const;
  Result<Entity*> require(EntityKind kind, std::string_view hex);

  // The new one's id. kDuplicateKey when its name is taken.
  Result<bson::ObjectId> add(EntityKind kind, bson::View body, const bson::ObjectId& service = {},
                             std::string source = {});
  // Replaces the body (and, with it, the name). kDuplicateKey when the new name is taken.
  Status replace(Entity& entity, bson::View body);
  // With what belongs to it.
  void remove(const bson::ObjectId& id);

  bson::ValueView settings(std::string_view name) const;  // missing if there are none
  void set_settings(std::string_view name, bson::Value body);

  bson::Document to_bson() const;
  static Result<StoredConfig> from_bson(bson::View document);
};

// What a new app has: the disabled provider "api-key" and the settings that the service gave.
StoredConfig new_config();

std::string name_of_entity(EntityKind kind, bson::View body);

// The body without what is not configuration: ids, times, null members, version of services.
bson::Document cleaned(EntityKind kind, bson::View body);

// Puts names for the ids of functions, services and secrets that bodies refer to. An id that means
// nothing stays.
void put_names_for_ids(StoredConfig& config,
                       const std::map<std::string, std::string>& secret_names);

// Has every reference to the function (or service, or secret) follow its new name.
enum class Referred : std::uint8_t { kFunction, kService, kSecret };
void rename_references(StoredConfig& config, Referred what, const std::string& from,
                       const std::string& to);

enum class ImportStrategy : std::uint8_t { kMerge, kReplace, kReplaceByName };

// `imported` put into `former` (spec: app-config §16.1). kInvalidArgument for ids that mean
// nothing.
Result<StoredConfig> import_into(const StoredConfig& former, StoredConfig imported,
                                 ImportStrategy strategy);

std::int64_t now_in_seconds();

}  // namespace restitch::deployment
