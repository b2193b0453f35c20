#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"

namespace restitch::app {

// Members of a JSON file are kept as BSON, Extended JSON decoded. Rule expressions stay unparsed here: rules/ compiles
// them. Everything below comes from a configuration directory (spec: app-config).

struct FieldPermission {                  // roles[].fields.<name> and additional_fields
  std::optional<bson::Value> read, write; // expressions
  std::vector<std::pair<std::string, FieldPermission>> fields;
  std::optional<std::pair<std::optional<bson::Value>, std::optional<bson::Value>>> additional;  // read, write
};

struct Role {
  std::string name;
  std::optional<bson::Value> apply_when;
  std::optional<bson::Value> document_read, document_write;  // document_filters
  bool has_document_filters = false;
  std::optional<bson::Value> read, write, insert, remove, search;
  FieldPermission permissions;            // `fields` and `additional_fields` of the role
};

struct Filter {
  std::string name;
  std::optional<bson::Value> apply_when;
  bson::Document query;
  bson::Document projection;
};

struct Relationship {
  std::string source_path;                // key of relationships.json
  std::string source_key, foreign_key;
  std::string target_source, target_database, target_collection;
  bool is_list = false;
};

struct CollectionConfig {
  std::string database, collection;
  std::string directory;                  // for findings: "data_sources/mongodb-atlas/shop/items"
  std::string rules_file, schema_file;    // where they stand; one file in the legacy layouts
  std::string schema_pointer;             // of the schema in its file: "" or "/schema"
  bool has_rules = false;                 // a rules.json with at least `database` and `collection` was there
  std::vector<Role> roles;
  std::vector<Filter> filters;
  std::optional<bson::Document> schema;
  std::vector<Relationship> relationships;
};

enum class SourceType : std::uint8_t { kAtlas, kDataLake, kSelfHosted };

struct DataSourceConfig {
  std::string name;
  SourceType type = SourceType::kAtlas;
  std::string cluster_name;               // clusterName or dataLakeName; may be empty
  std::string read_preference = "primary";
  bson::Document read_preference_tag_sets;  // array
  bool wire_protocol_enabled = false;
  std::string uri;                        // kSelfHosted, inline
  std::string uri_secret;                 // kSelfHosted: name of the secret that holds the URI
  std::string directory;
  bool has_default_rule = false;
  std::vector<Role> default_roles;
  std::vector<Filter> default_filters;
  std::vector<CollectionConfig> collections;
  bson::Document raw;                     // config.json as it came
};

struct AuthProviderConfig {
  std::string type;                       // "anon-user", "local-userpass", "api-key", …
  bool disabled = false;
  bson::Document config, secret_config;
  std::vector<bson::Document> metadata_fields;
  std::vector<std::string> redirect_uris, domain_restrictions;
};

struct CustomUserData {
  bool enabled = false;
  std::string service, database, collection, user_id_field;
  std::string on_user_creation_function;  // "" = none
};

struct FunctionConfig {
  std::string name;
  std::string path;                       // without ".js" or ".ts"; differs from name for a base-name match
  std::string source;
  std::string file;                       // of the source, for findings
  std::string manifest_file, manifest_pointer;  // where the members below stand; "" = nowhere, all are defaults
  bool is_private = false;
  std::optional<bson::Value> can_evaluate;
  bool disable_arg_logs = false;
  bool run_as_system = false;
  std::string run_as_user_id;
  std::string run_as_user_id_script_source;
};

struct ValueConfig {
  std::string name;
  bson::Value value;                      // plain value; the secret's name when from_secret
  bool from_secret = false;
};

// How a request to an endpoint or webhook proves that its sender may call it.
enum class RequestValidation : std::uint8_t { kNone, kSecretInQuery, kSignature };

struct EndpointConfig {
  std::string route;                      // begins with '/'
  std::string method;                     // upper case; "*" = all
  std::string function;
  RequestValidation validation = RequestValidation::kNone;
  std::string secret_name;
  bool respond_result = false;
  bool returns_ejson = false;             // return_type
  bool fetch_custom_user_data = false;
  bool create_user_on_auth = false;
  bool disabled = false;
  std::string file, pointer;              // for findings
};

// An incoming webhook of a service of the legacy layouts.
struct WebhookConfig {
  std::string service, name;
  std::string method;                     // "*" = all
  FunctionConfig function;                // its source; the name is nobody else's
  RequestValidation validation = RequestValidation::kNone;
  std::string secret;                     // the value itself
  bool run_as_authed_user = false;
  bool respond_result = false;
  bool fetch_custom_user_data = false;
  bool create_user_on_auth = false;
};

enum class TriggerType : std::uint8_t { kDatabase, kAuthentication, kScheduled };

// A bus of AWS EventBridge that a trigger's events go to.
struct EventBus {
  std::string account_id, region;
  bool extended_json = false;             // of the events: canonical instead of plain JSON
};

struct TriggerConfig {
  std::string name;
  TriggerType type = TriggerType::kDatabase;
  bool disabled = false;
  std::string function;                   // "" with another event processor
  std::optional<EventBus> event_bus;      // only without a function
  std::string error_handler;              // function; "" = none or not enabled
  bool skip_catchup_events = false;
  std::string file;

  // kDatabase; `collection` "" = the database, `database` "" too = the deployment
  std::string source, database, collection;
  std::vector<std::string> operation_types;  // as in the file: "INSERT", …
  bool full_document = false;
  bool full_document_before_change = false;
  bool tolerate_resume_errors = false;
  bool unordered = false;
  bool maximum_throughput = false;
  bson::Document match, project;

  // kAuthentication
  std::vector<std::string> operations;    // LOGIN, CREATE, DELETE, LOGOUT
  std::vector<std::string> providers;

  std::string schedule;                   // kScheduled
};

// A component that this version stores, validates in form and hands back, e.g. triggers/x.json.
struct OpaqueFile {
  std::string path;
  bson::Value content;                    // a string for a webhook's source.js
};

struct Config {
  int config_version = 20230101;
  std::string name;
  std::string client_app_id;              // "" when the directory names none
  std::string location, provider_region, deployment_model, environment;
  std::vector<std::string> allowed_request_origins;

  std::vector<DataSourceConfig> data_sources;
  std::vector<AuthProviderConfig> auth_providers;
  std::optional<CustomUserData> custom_user_data;
  std::vector<FunctionConfig> functions;
  std::vector<ValueConfig> values;
  std::map<std::string, bson::Document> environments;  // tag ("" = none) to values
  std::map<std::string, std::string> secrets;          // from secrets.json: name to value
  std::vector<EndpointConfig> endpoints;
  std::vector<WebhookConfig> webhooks;
  std::vector<TriggerConfig> triggers;
  std::vector<OpaqueFile> others;

  const DataSourceConfig* find_data_source(std::string_view name) const;
  const AuthProviderConfig* find_auth_provider(std::string_view type) const;
  const FunctionConfig* find_function(std::string_view name) const;  // by name, or by path as an alias
};

enum class FindingSeverity : std::uint8_t { kError, kWarning };

struct Finding {
  FindingSeverity severity = FindingSeverity::kError;
  std::string file;                       // relative to the app root
  std::string pointer;                    // JSON pointer in it, "" = the file
  std::string code;                       // error_code of the Admin API, e.g. "InvalidParameter"
  std::string message;                    // never holds a secret
};

// "<file>: <pointer>: <message>" (the pointer and its colon are left out when empty).
std::string to_line(const Finding& finding);

// Collects everything that is wrong, so that a bad directory is answered at once and in full.
class Findings {
 public:
  void error(std::string file, std::string pointer, std::string code, std::string message);
  void warning(std::string file, std::string pointer, std::string code, std::string message);
  bool has_errors() const { return has_errors_; }
  const std::vector<Finding>& list() const { return list_; }

 private:
  std::vector<Finding> list_;
  bool has_errors_ = false;
};

}  // namespace restitch::app
