#include "deployment/config_tree.h"

#include <map>
#include <set>
#include <utility>

#include "app/names.h"
#include "app/writing/members.h"

namespace restitch::deployment {
namespace {

// The ending that a function's path keeps; ".js" has as many characters.
constexpr std::string_view kTypeScript = ".ts";

using app::Members;
using app::path_component;
using bson::ObjectId;
using bson::Value;
using bson::ValueView;

constexpr std::string_view kRootFile = "realm_config.json";
constexpr std::string_view kFunctionManifest = "functions/config.json";
constexpr std::string_view kEndpoints = "http_endpoints/config.json";
constexpr std::string_view kProviders = "auth/providers.json";
constexpr std::array<std::string_view, 5> kEnvironmentFiles = {"no-environment", "development",
                                                               "testing", "qa", "production"};

bool is_data_source(std::string_view type) {
  return type == "mongodb-atlas" || type == "mongodb" || type == "datalake";
}

std::string text_of(ValueView body, std::string_view name) {
  const auto object = body.as_object();
  return object ? std::string(object->find(name).as_string().value_or("")) : std::string();
}

// Writes a configuration into files.
class TreeMaker {
 public:
  TreeMaker(const StoredConfig& config, const AppIdentity& app, TreeOptions options)
      : config_(config), app_(app), options_(options) {}

  app::Tree make() {
    tree_.config_version = 20210101;
    tree_.root_file = std::string(kRootFile);
    tree_.fallback_name = app_.name;
    add_root();
    for (const Entity& entity : config_.entities) add(entity);
    tree_.put(std::string(kFunctionManifest), app::array_of(functions_));
    if (!endpoints_.empty()) tree_.put(std::string(kEndpoints), app::array_of(endpoints_));
    tree_.put(std::string(kProviders), providers_.value());
    for (const auto& [tag, values] : environments_) {
      Members file;
      file.set("values", values.value());
      tree_.put("environments/" + tag + ".json", file.value());
    }
    return std::move(tree_);
  }

 private:
  void add_root() {
    Members root;
    root.set("config_version", Value::of(std::int32_t{20210101}));
    if (options_.with_identity) root.set("app_id", Value::of(app_.client_app_id));
    root.set("name", Value::of(app_.name));
    for (const auto& [name, value] :
         {std::pair("location", app_.location), std::pair("provider_region", app_.provider_region),
          std::pair("deployment_model", app_.deployment_model)}) {
      if (!value.empty()) root.set(name, Value::of(value));
    }
    const Members settings(config_.settings(kAppSettings));
    for (const auto& [name, value] : settings.list()) root.set(name, value);
    tree_.put(std::string(kRootFile), root.value());
  }

  Value body_of(const Entity& entity) const {
    if (!options_.with_ids || entity.body.type() != bson::Type::kObject) return entity.body;
    Members members(entity.body);
    members.set("id", Value::of(entity.id.to_hex()));
    return members.value();
  }

  void add(const Entity& entity) {
    const std::string file = path_component(entity.name) + ".json";
    switch (entity.kind) {
      case EntityKind::kService:
        tree_.put(directory_of(entity) + "/config.json", body_of(entity));
        break;
      case EntityKind::kDefaultRule:
        add_below_service(entity, "/default_rule.json");
        break;
      case EntityKind::kRule:
        add_rule(entity);
        break;
      case EntityKind::kSchema:
        add_schema(entity);
        break;
      case EntityKind::kWebhook:
        add_webhook(entity);
        break;
      case EntityKind::kFunction:
        add_function(entity);
        break;
      case EntityKind::kAuthProvider:
        providers_.set(entity.name, body_of(entity));
        break;
      case EntityKind::kValue:
        tree_.put("values/" + file, body_of(entity));
        break;
      case EntityKind::kEnvironmentValue:
        add_environment_value(entity);
        break;
      case EntityKind::kTrigger:
        tree_.put("triggers/" + file, body_of(entity));
        break;
      case EntityKind::kEndpoint:
        endpoints_.push_back(body_of(entity));
        break;
      case EntityKind::kResolver:
        tree_.put("graphql/custom_resolvers/" + path_component(text_of(entity.body, "on_type")) +
                      "_" + path_component(text_of(entity.body, "field_name")) + ".json",
                  body_of(entity));
        break;
      case EntityKind::kLogForwarder:
        tree_.put("log_forwarders/" + file, body_of(entity));
        break;
      case EntityKind::kSettings:
        if (!entity.name.empty()) tree_.put(entity.name, entity.body);
        break;
    }
  }

  static std::string directory_of(const Entity& service) {
    const std::string root =
        is_data_source(text_of(service.body, "type")) ? "data_sources/" : "services/";
    return root + path_component(service.name);
  }

  void add_below_service(const Entity& entity, const std::string& path) {
    const Entity* service = config_.find(EntityKind::kService, entity.service);
    if (service != nullptr) tree_.put(directory_of(*service) + path, body_of(entity));
  }

  static std::string collection_path(const Entity& entity) {
    return "/" + path_component(text_of(entity.body, "database")) + "/" +
           path_component(text_of(entity.body, "collection"));
  }

  void add_rule(const Entity& rule) {
    const Members members(rule.body);
    const bool is_of_collection = members.contains("database");
    add_below_service(rule, is_of_collection ? collection_path(rule) + "/rules.json"
                                             : "/rules/" + path_component(rule.name) + ".json");
  }

  void add_schema(const Entity& entity) {
    const Entity* service = config_.find(EntityKind::kService, entity.service);
    if (service == nullptr) return;
    const std::string path = directory_of(*service) + collection_path(entity);
    Members members(entity.body);
    Members schema(members["schema"]);
    if (options_.with_ids) schema.set("id", Value::of(entity.id.to_hex()));
    tree_.put(path + "/schema.json", schema.value());
    tree_.put(path + "/relationships.json", members["relationships"].is_nullish()
                                                ? Value::of(bson::Document())
                                                : Value(members["relationships"]));
    if (tree_.json.contains(path + "/rules.json")) return;
    Members names;  // the directories' names may be escaped
    names.set("database", Value(members["database"]));
    names.set("collection", Value(members["collection"]));
    tree_.put(path + "/rules.json", names.value());
  }

  void add_webhook(const Entity& hook) {
    const Entity* service = config_.find(EntityKind::kService, hook.service);
    if (service == nullptr) return;
    const std::string path =
        directory_of(*service) + "/incoming_webhooks/" + path_component(hook.name);
    tree_.put(path + "/config.json", body_of(hook));
    tree_.sources[path + "/source.js"] = hook.source;
  }

  void add_function(const Entity& function) {
    functions_.push_back(body_of(function));
    const char* extension = function.path.ends_with(kTypeScript) ? "" : ".js";
    tree_.sources["functions/" + function.path + extension] = function.source;
  }

  void add_environment_value(const Entity& entity) {
    const Members members(entity.body);
    const auto values = members["values"].as_object();
    if (!values) return;
    for (const bson::Element& value : *values) {
      const bool is_none = value.name.empty() || value.name == "none";
      environments_[is_none ? "no-environment" : std::string(value.name)].set(entity.name,
                                                                              Value(value.value));
    }
  }

  const StoredConfig& config_;
  const AppIdentity& app_;
  TreeOptions options_;
  app::Tree tree_;
  std::vector<Value> functions_, endpoints_;
  Members providers_;
  std::map<std::string, Members> environments_;
};

// Reads a configuration out of files.
class TreeTaker {
 public:
  explicit TreeTaker(const app::Tree& tree) : tree_(tree) {}

  StoredConfig take() {
    take_settings();
    take_services("data_sources/");
    take_services("services/");
    take_services(endpoints_folder() + "/");
    take_functions();
    take_providers();
    take_list(EntityKind::kEndpoint, endpoints_file());
    take_files(EntityKind::kValue, "values/");
    take_environments();
    take_files(EntityKind::kTrigger, "triggers/");
    take_files(EntityKind::kResolver, "graphql/custom_resolvers/");
    take_files(EntityKind::kLogForwarder, "log_forwarders/");
    return std::move(config_);
  }

 private:
  std::string endpoints_folder() const {
    return tree_.config_version == 20230101 ? "https_endpoints" : "http_endpoints";
  }
  // The one of the two that has entries.
  std::string endpoints_file() const {
    const std::string own = endpoints_folder() + "/config.json";
    const std::string other =
        own.starts_with("https") ? "http_endpoints/config.json" : "https_endpoints/config.json";
    const auto list = tree_.as_written(own).as_array();
    return list && !list->empty() ? own : (tree_.json.contains(other) ? other : own);
  }

  Entity& add(EntityKind kind, ValueView body, const ObjectId& service = {}) {
    Entity entity;
    entity.id = ObjectId::generate();
    entity.kind = kind;
    entity.service = service;
    const auto object = body.as_object();
    entity.given_id = text_of(body, "id");
    if (entity.given_id.empty()) entity.given_id = text_of(body, "_id");
    entity.body = object ? Value::of(cleaned(kind, *object)) : Value(body);
    if (object) entity.name = name_of_entity(kind, *object);
    config_.entities.push_back(std::move(entity));
    return config_.entities.back();
  }

  void take_settings() {
    Members root(tree_.as_written(tree_.root_file));
    Members kept;
    for (const std::string_view name : {"environment", "allowed_request_origins"}) {
      if (root.contains(name) && !app::is_empty(root[name])) kept.set(name, Value(root[name]));
    }
    if (!kept.empty()) add(EntityKind::kSettings, kept.value());
    for (const std::string_view path : {kCustomUserData, kGraphqlConfig, kGraphqlValidation,
                                        kHostingConfig, kHostingMetadata, kSyncConfig}) {
      take_setting(std::string(path), path);
    }
    take_setting(tree_.json.contains("https_endpoints/data_api_config.json")
                     ? "https_endpoints/data_api_config.json"
                     : std::string(kDataApi),
                 kDataApi);
  }

  void take_setting(const std::string& path, std::string_view name) {
    const ValueView body = tree_.as_written(path);
    if (!body.is_nullish()) add(EntityKind::kSettings, body).name = std::string(name);
  }

  void take_files(EntityKind kind, const std::string& folder) {
    for (auto it = tree_.json.lower_bound(folder);
         it != tree_.json.end() && it->first.starts_with(folder); ++it) {
      if (it->first.find('/', folder.size()) != std::string::npos) continue;
      if (it->second.type() == bson::Type::kObject) add(kind, tree_.as_written(it->first));
    }
  }

  void take_list(EntityKind kind, const std::string& file) {
    for (const Value& entry : app::elements_of(tree_.as_written(file))) {
      if (entry.type() == bson::Type::kObject) add(kind, entry);
    }
  }

  void take_providers() {
    const auto providers = tree_.as_written(std::string(kProviders)).as_object();
    if (!providers) return;
    for (const bson::Element& provider : *providers) {
      if (provider.value.type() != bson::Type::kObject) continue;
      Members members(provider.value);
      members.set_default("name", Value::of(provider.name));
      members.set_default("type", Value::of(provider.name));
      add(EntityKind::kAuthProvider, members.value());
    }
  }

  void take_environments() {
    std::map<std::string, Members> by_name;
    for (const std::string_view tag : kEnvironmentFiles) {
      const std::string path = "environments/" + std::string(tag) + ".json";
      const auto file = tree_.as_written(path).as_object();
      const auto values = file ? file->find("values").as_object() : std::nullopt;
      if (!values) continue;
      for (const bson::Element& value : *values) {
        by_name[std::string(value.name)].set(tag == "no-environment" ? "none" : tag,
                                             Value(value.value));
      }
    }
    for (const auto& [name, values] : by_name) {
      Members body;
      body.set("name", Value::of(name));
      body.set("values", values.value());
      add(EntityKind::kEnvironmentValue, body.value());
    }
  }

  void take_services(const std::string& folder) {
    for (auto it = tree_.json.lower_bound(folder);
         it != tree_.json.end() && it->first.starts_with(folder); ++it) {
      const std::string directory(app::parent(it->first));
      const bool is_config = app::file_name(it->first) == "config.json" &&
                             directory.find('/', folder.size()) == std::string::npos &&
                             directory.size() > folder.size();
      if (is_config && it->second.type() == bson::Type::kObject) take_service(it->first, directory);
    }
    take_unconfigured_sources(folder);
  }

  // Directories of data_sources/ without a config.json are linked to the embedded cluster.
  void take_unconfigured_sources(const std::string& folder) {
    if (folder != "data_sources/") return;
    std::string last;
    for (auto it = tree_.json.lower_bound(folder);
         it != tree_.json.end() && it->first.starts_with(folder); ++it) {
      const std::string directory = it->first.substr(0, it->first.find('/', folder.size()));
      if (directory == last || tree_.json.contains(directory + "/config.json")) continue;
      last = directory;
      Members body;
      body.set("name", Value::of(app::file_name(directory)));
      body.set("type", Value::of("mongodb-atlas"));
      body.set("config", Value::of(bson::Document()));
      const ObjectId id = add(EntityKind::kService, body.value()).id;
      take_parts(directory, id);
    }
  }

  void take_service(const std::string& file, const std::string& directory) {
    Members body(tree_.as_written(file));
    body.set_default("name", Value::of(app::file_name(directory)));
    const ObjectId id = add(EntityKind::kService, body.value()).id;
    take_parts(directory, id);
  }

  void take_parts(const std::string& directory, const ObjectId& id) {
    const ValueView default_rule = tree_.as_written(directory + "/default_rule.json");
    if (default_rule.type() == bson::Type::kObject) add(EntityKind::kDefaultRule, default_rule, id);
    const std::string prefix = directory + "/";
    std::string last;
    for (auto it = tree_.json.lower_bound(prefix);
         it != tree_.json.end() && it->first.starts_with(prefix); ++it) {
      const std::string below(app::parent(it->first));
      const std::string rest = it->first.substr(prefix.size());
      if (rest.starts_with("incoming_webhooks/")) {
        take_webhook(it->first, below, id);
      } else if (rest.starts_with("rules/") && below == directory + "/rules") {
        take_service_rule(it->first, id);
      } else if (rest.find('/') != std::string::npos && below != last) {
        last = below;
        take_collection(below, id);
      }
    }
  }

  void take_service_rule(const std::string& file, const ObjectId& service) {
    Members body(tree_.as_written(file));
    if (!body.contains("database")) body.set_default("name", Value::of(app::stem(file)));
    add(EntityKind::kRule, body.value(), service);
  }

  void take_webhook(const std::string& file, const std::string& directory,
                    const ObjectId& service) {
    Members body(tree_.as_written(file));
    body.set_default("name", Value::of(app::file_name(directory)));
    Entity& hook = add(EntityKind::kWebhook, body.value(), service);
    const auto source = tree_.sources.find(directory + "/source.js");
    if (source != tree_.sources.end()) hook.source = source->second;
  }

  void take_collection(const std::string& directory, const ObjectId& service) {
    Members rule(tree_.as_written(directory + "/rules.json"));
    rule.set_default("database", Value::of(app::file_name(app::parent(directory))));
    rule.set_default("collection", Value::of(app::file_name(directory)));
    if (rule.contains("roles") || rule.contains("filters")) {
      add(EntityKind::kRule, rule.value(), service);
    }
    const ValueView schema = tree_.as_written(directory + "/schema.json");
    const ValueView relationships = tree_.as_written(directory + "/relationships.json");
    if (schema.is_nullish() && relationships.is_nullish()) return;
    Members content(schema);
    const std::string given = content.text("id");
    content.remove("id");
    Members body;
    body.set("database", Value(rule["database"]));
    body.set("collection", Value(rule["collection"]));
    body.set("schema", content.value());
    body.set("relationships",
             relationships.is_nullish() ? Value::of(bson::Document()) : Value(relationships));
    add(EntityKind::kSchema, body.value(), service).given_id = given;
  }

  // Manifest entries with their sources, then the sources that no entry names.
  void take_functions() {
    std::map<std::string, std::string> sources;
    const std::string folder = "functions/";
    for (auto it = tree_.sources.lower_bound(folder);
         it != tree_.sources.end() && it->first.starts_with(folder); ++it) {
      const std::string path =
          it->first.substr(folder.size(), it->first.size() - folder.size() - kTypeScript.size());
      sources.emplace(path, it->second);
      if (it->first.ends_with(kTypeScript)) typed_.insert(path);
    }
    for (const Value& entry : app::elements_of(tree_.as_written(std::string(kFunctionManifest)))) {
      const std::string name = text_of(entry, "name");
      const std::string path = source_of(name, sources);
      if (name.empty() || path.empty()) continue;  // left out by the loader as well
      add_function(entry, path, sources.at(path));
      sources.erase(path);
    }
    for (const auto& [path, source] : sources) {
      Members body;
      body.set("name", Value::of(path));
      body.set("private", Value::of(false));
      add_function(body.value(), path, source);
    }
  }

  void add_function(const Value& body, const std::string& path, const std::string& source) {
    Entity& function = add(EntityKind::kFunction, body);
    function.path = path;
    if (typed_.contains(path)) function.path += kTypeScript;
    function.source = source;
  }

  static std::string source_of(const std::string& name,
                               const std::map<std::string, std::string>& sources) {
    if (sources.contains(name)) return name;
    std::string found;
    for (const auto& [path, source] : sources) {
      if (app::file_name(path) != name) continue;
      if (!found.empty()) return {};
      found = path;
    }
    return found;
  }

  const app::Tree& tree_;
  StoredConfig config_;
  std::set<std::string> typed_;  // paths of functions in TypeScript
};

}  // namespace

app::Tree to_tree(const StoredConfig& config, const AppIdentity& app, TreeOptions options) {
  return TreeMaker(config, app, options).make();
}

StoredConfig from_tree(const app::Tree& tree) { return TreeTaker(tree).take(); }

}  // namespace restitch::deployment
