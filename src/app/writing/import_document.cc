#include "app/writing/import_document.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "app/names.h"
#include "app/root.h"
#include "app/writing/files.h"
#include "app/writing/layouts.h"
#include "app/writing/members.h"
#include "app/writing/normal_form.h"

namespace restitch::app {
namespace {

using bson::Value;
using bson::ValueView;

constexpr std::array<std::string_view, 7> kRootMembers = {"app_id",
                                                          "name",
                                                          "location",
                                                          "provider_region",
                                                          "deployment_model",
                                                          "environment",
                                                          "allowed_request_origins"};
constexpr std::array<std::string_view, 5> kTags = {"none", "development", "testing", "qa",
                                                   "production"};

std::string environment_file(std::string_view tag) {
  return "environments/" + (tag.empty() || tag == "none" ? "no-environment" : std::string(tag)) +
         ".json";
}

// --- from files to a document ---

class DocumentWriter {
 public:
  explicit DocumentWriter(const Tree& tree) : tree_(tree) {}

  bson::Document modern() {
    root();
    environments();
    list("values", "values/");
    Members auth;
    put(auth, "custom_user_data", "auth/custom_user_data.json");
    put(auth, "providers", "auth/providers.json");
    out_.set("auth", auth.value());
    out_.set("functions", functions());
    list("triggers", "triggers/");
    data_sources("data_sources/");
    services("http_endpoints", "http_endpoints/");
    services("http_endpoints", "https_endpoints/");
    Members list_of_endpoints;
    put(list_of_endpoints, "config", endpoint_file("config.json"));
    out_.set("endpoints", list_of_endpoints.value());
    put(out_, "data_api_config", endpoint_file("data_api_config.json"));
    services("services", "services/");
    out_.set("graphql", graphql());
    put(out_, "hosting", "hosting/config.json");
    Members sync;
    put(sync, "config", "sync/config.json");
    out_.set("sync", sync.value());
    secrets();
    list("log_forwarders", "log_forwarders/");
    return out_.document();
  }

  bson::Document legacy() {
    root();
    const Members file(tree_.as_written(tree_.root_file));
    for (const std::string_view name : {"security", "hosting", "custom_user_data_config", "sync"}) {
      if (file.contains(name)) {
        out_.set(name, Value(file[name]));
      } else if (name != "hosting") {
        out_.set(name, Value::null());
      }
    }
    put(out_, "hosting", "hosting/config.json");
    environments();
    secrets();
    list("auth_providers", "auth_providers/");
    legacy_functions();
    list("triggers", "triggers/");
    out_.set("graphql", graphql());
    services("services", "services/");
    list("values", "values/");
    list("log_forwarders", "log_forwarders/");
    put(out_, "data_api_config", "data_api_config.json");
    return out_.document();
  }

 private:
  void put(Members& out, std::string_view member, const std::string& path) const {
    const ValueView value = tree_.as_written(path);
    if (!value.is_nullish()) out.set(member, Value(value));
  }

  // A file of the layout's own directory of endpoints, or of the other layout's if that says more.
  std::string endpoint_file(const std::string& name) const {
    const bool is_newest = tree_.config_version == kVersion2023;
    const std::string own = (is_newest ? "https_endpoints/" : "http_endpoints/") + name;
    const std::string other = (is_newest ? "http_endpoints/" : "https_endpoints/") + name;
    return is_empty(tree_.as_written(own)) && !is_empty(tree_.as_written(other)) ? other : own;
  }

  void root() {
    const Members file(tree_.as_written(tree_.root_file));
    out_.set("config_version", Value::of(static_cast<std::int32_t>(tree_.config_version)));
    for (const std::string_view name : kRootMembers) {
      if (!is_empty(file[name])) out_.set(name, Value(file[name]));
    }
    const Members meta(tree_.as_written(".mdb/meta.json"));
    if (!out_.contains("app_id") && !meta.text("client_app_id").empty()) {
      out_.set("app_id", Value(meta["client_app_id"]));
    }
    if (!is_empty(file["hosting"])) out_.set("hosting", Value(file["hosting"]));
  }

  // The JSON files directly in a directory.
  std::vector<std::string> files_in(std::string_view directory) const {
    std::vector<std::string> paths;
    for (auto it = tree_.json.lower_bound(std::string(directory));
         it != tree_.json.end() && it->first.starts_with(directory); ++it) {
      if (it->first.find('/', directory.size()) == std::string::npos) paths.push_back(it->first);
    }
    return paths;
  }

  // Names of the directories directly in a directory that ends with '/'.
  std::set<std::string> directories_in(std::string_view directory) const {
    std::set<std::string> names;
    const auto add = [&](const std::string& path) {
      const std::size_t slash = path.find('/', directory.size());
      if (slash == std::string::npos) return;
      names.insert(path.substr(directory.size(), slash - directory.size()));
    };
    for (auto it = tree_.json.lower_bound(std::string(directory));
         it != tree_.json.end() && it->first.starts_with(directory); ++it) {
      add(it->first);
    }
    for (auto it = tree_.sources.lower_bound(std::string(directory));
         it != tree_.sources.end() && it->first.starts_with(directory); ++it) {
      add(it->first);
    }
    return names;
  }

  void list(std::string_view member, std::string_view directory) {
    std::vector<Value> values;
    for (const std::string& path : files_in(directory)) values.emplace_back(tree_.as_written(path));
    if (!values.empty()) out_.set(member, array_of(values));
  }

  void environments() {
    Members files;
    for (const std::string& path : files_in("environments/")) {
      files.set(file_name(path), Value(tree_.as_written(path)));
    }
    if (!files.empty()) out_.set("environments", files.value());
  }

  Value functions() const {
    Members out;
    put(out, "config", "functions/config.json");
    Members sources;
    for (auto it = tree_.sources.lower_bound("functions/");
         it != tree_.sources.end() && it->first.starts_with("functions/"); ++it) {
      sources.set(it->first.substr(10), Value::of(it->second));
    }
    if (!sources.empty()) out.set("sources", sources.value());
    return out.value();
  }

  void legacy_functions() {
    std::vector<Value> functions;
    for (const std::string& name : directories_in("functions/")) {
      Members function;
      const std::string directory = "functions/" + name;
      Members config(tree_.as_written(directory + "/config.json"));
      config.set_default("name", Value::of(name));
      function.set("config", config.value());
      const auto source = tree_.sources.find(directory + "/source.js");
      if (source != tree_.sources.end()) function.set("source", Value::of(source->second));
      functions.push_back(function.value());
    }
    if (!functions.empty()) out_.set("functions", array_of(functions));
  }

  void data_sources(const std::string& root) {
    std::vector<Value> sources;
    for (const std::string& name : directories_in(root)) {
      const std::string directory = root + name;
      Members source;
      Members config(tree_.as_written(directory + "/config.json"));
      if (config.empty()) {
        config.set("name", Value::of(name));
        config.set("type", Value::of("mongodb-atlas"));
      }
      source.set("config", config.value());
      put(source, "default_rule", directory + "/default_rule.json");
      std::vector<Value> rules;
      for (const std::string& database : directories_in(directory + "/")) {
        for (const std::string& collection : directories_in(directory + "/" + database + "/")) {
          rules.push_back(
              rule(directory + "/" + database + "/" + collection, database, collection));
        }
      }
      source.set("rules", array_of(rules));
      sources.push_back(source.value());
    }
    if (!sources.empty()) out_.set("data_sources", array_of(sources));
  }

  Value rule(const std::string& directory, const std::string& database,
             const std::string& collection) const {
    Members rule(tree_.as_written(directory + "/rules.json"));
    rule.set_default("database", Value::of(database));
    rule.set_default("collection", Value::of(collection));
    put(rule, "schema", directory + "/schema.json");
    put(rule, "relationships", directory + "/relationships.json");
    return rule.value();
  }

  void services(std::string_view member, const std::string& root) {
    std::vector<Value> services = elements_of(out_[member]);
    for (const std::string& name : directories_in(root)) {
      const std::string directory = root + name;
      Members service;
      put(service, "config", directory + "/config.json");
      put(service, "default_rule", directory + "/default_rule.json");
      service.set("incoming_webhooks", webhooks(directory + "/incoming_webhooks/"));
      std::vector<Value> rules;
      for (const std::string& path : files_in(directory + "/rules/")) {
        rules.emplace_back(tree_.as_written(path));
      }
      service.set("rules", array_of(rules));
      services.push_back(service.value());
    }
    if (!services.empty()) out_.set(member, array_of(services));
  }

  Value webhooks(const std::string& root) const {
    std::vector<Value> hooks;
    for (const std::string& name : directories_in(root)) {
      Members hook;
      Members config(tree_.as_written(root + name + "/config.json"));
      config.set_default("name", Value::of(name));
      hook.set("config", config.value());
      const auto source = tree_.sources.find(root + name + "/source.js");
      if (source != tree_.sources.end()) hook.set("source", Value::of(source->second));
      hooks.push_back(hook.value());
    }
    return array_of(hooks);
  }

  Value graphql() const {
    Members out;
    put(out, "config", "graphql/config.json");
    put(out, "validation_settings", "graphql/validation_settings.json");
    std::vector<Value> resolvers;
    for (const std::string& path : files_in("graphql/custom_resolvers/")) {
      resolvers.emplace_back(tree_.as_written(path));
    }
    if (!resolvers.empty()) out.set("custom_resolvers", array_of(resolvers));
    return out.value();
  }

  void secrets() {
    out_.set("secrets", Value::of(bson::Document()));
    put(out_, "secrets", "secrets.json");
  }

  const Tree& tree_;
  Members out_;
};

// --- from a document to files ---

class DocumentReader {
 public:
  DocumentReader(bson::View document, Findings& findings)
      : document_(bson::Value::object(document)), findings_(findings) {}

  Tree read() {
    const std::int64_t version = document_["config_version"].as_integer().value_or(0);
    const bool is_legacy = version == 0 ? document_.contains("auth_providers") ||
                                              document_["functions"].type() == bson::Type::kArray
                                        : version < kVersion2021;
    tree_.config_version = version > 0 && version <= 99'999'999 ? static_cast<int>(version)
                           : is_legacy                          ? kVersion2020
                                                                : kVersion2021;
    tree_.root_file = root_file_of(tree_.config_version);
    if (tree_.root_file.empty()) {
      tree_.root_file = tree_.is_legacy() ? "config.json" : "realm_config.json";
    }
    root();
    environments(document_["environments"]);
    list("values", "values/", "name");
    list("triggers", "triggers/", "name");
    list("log_forwarders", "log_forwarders/", "name");
    graphql();
    put("hosting/config.json", document_["hosting"]);
    if (document_["secrets"].type() == bson::Type::kObject && !is_empty(document_["secrets"])) {
      tree_.put("secrets.json", Value(document_["secrets"]));
    }
    services("services", "services/");
    tree_.is_legacy() ? read_legacy() : read_modern();
    return std::move(tree_);
  }

  // The flat form of `PATCH …/push`.
  Tree read_push() {
    tree_.config_version = kVersion2023;
    tree_.root_file = root_file_of(kVersion2023);
    root();
    providers(document_["auth_providers"]);
    put("auth/custom_user_data.json", document_["custom_user_data"]);
    put("https_endpoints/data_api_config.json", document_["data_api_config"]);
    data_sources(document_["data_sources"]);
    if (!document_["endpoints"].is_nullish()) {
      tree_.put("https_endpoints/config.json", Value(document_["endpoints"]));
    }
    flat_environments();
    flat_functions(document_["functions"]);
    graphql();
    put("hosting/config.json", document_["hosting"]);
    services("https_endpoints", "https_endpoints/");
    services("services", "services/");
    list("log_forwarders", "log_forwarders/", "name");
    list("triggers", "triggers/", "name");
    list("values", "values/", "name");
    put("sync/config.json", document_["sync"]);
    schemas();
    return std::move(tree_);
  }

 private:
  void put(const std::string& path, ValueView value) {
    if (!value.is_nullish()) tree_.put(path, Value(value));
  }

  void wrong_type(std::string_view member, std::string_view wanted) {
    findings_.error("", below("", member), "InvalidParameter", "must be " + std::string(wanted));
  }

  // Elements of an array member; null and absence are none.
  std::vector<Value> elements(ValueView value, std::string_view member) {
    if (!value.is_nullish() && value.type() != bson::Type::kArray) wrong_type(member, "an array");
    return elements_of(value);
  }

  Members object(ValueView value, std::string_view member) {
    if (!value.is_nullish() && value.type() != bson::Type::kObject) wrong_type(member, "an object");
    return Members(value);
  }

  std::string free_path(const std::string& directory, std::string_view name,
                        std::string_view ending) const {
    const std::string base = directory + path_component(name);
    std::string path = base + std::string(ending);
    for (int number = 2; is_taken(path); ++number) {
      path = base + "~" + std::to_string(number) + std::string(ending);
    }
    return path;
  }

  // A file, or a directory with files.
  bool is_taken(const std::string& path) const {
    const auto below = tree_.json.lower_bound(path);
    if (below != tree_.json.end() &&
        (below->first == path || below->first.starts_with(path + "/"))) {
      return true;
    }
    const auto source = tree_.sources.lower_bound(path);
    return source != tree_.sources.end() &&
           (source->first == path || source->first.starts_with(path + "/"));
  }

  void root() {
    Members file;
    if (tree_.config_version != kVersion2023) {
      file.set("config_version", Value::of(static_cast<std::int32_t>(tree_.config_version)));
    }
    for (const std::string_view name : kRootMembers) {
      if (!document_[name].is_nullish()) file.set(name, Value(document_[name]));
    }
    if (tree_.config_version == kVersion2023 &&
        file.contains("app_id")) {  // has its own place there
      Members meta;
      meta.set("client_app_id", file.take("app_id"));
      tree_.put(".mdb/meta.json", meta.value());
    }
    if (tree_.is_legacy()) {
      for (const std::string_view name : {"security", "custom_user_data_config", "sync"}) {
        if (!document_[name].is_nullish()) file.set(name, Value(document_[name]));
      }
    }
    tree_.put(tree_.root_file, file.value());
  }

  void environments(ValueView files) {
    for (const auto& [name, content] : object(files, "environments").list()) {
      const std::string path = "environments/" + path_component(name);
      tree_.put(path.ends_with(".json") ? path : environment_file(name), content);
    }
  }

  void flat_environments() {
    const Members environments = object(document_["environments"], "environments");
    if (environments.empty()) return;
    for (const auto& [tag, values] : Members(environments["values"]).list()) {
      Members file;
      file.set("values", values);
      tree_.put(environment_file(path_component(tag)), file.value());
    }
  }

  void list(std::string_view member, const std::string& directory, std::string_view name_member) {
    int index = 0;
    for (const Value& element : elements(document_[member], member)) {
      std::string name = Members(element).text(name_member);
      if (name.empty()) name = std::to_string(index);
      tree_.put(free_path(directory, name, ".json"), element);
      ++index;
    }
  }

  void graphql() {
    const Members graphql = object(document_["graphql"], "graphql");
    put("graphql/config.json", graphql["config"]);
    put("graphql/validation_settings.json", graphql["validation_settings"]);
    for (const Value& element : elements(graphql["custom_resolvers"], "graphql/custom_resolvers")) {
      const Members resolver(element);
      std::string name = resolver.text("on_type") + "_" + resolver.text("field_name");
      for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
      tree_.put(free_path("graphql/custom_resolvers/", name, ".json"), element);
    }
  }

  void services(std::string_view member, const std::string& root) {
    for (const Value& element : elements(document_[member], member)) {
      const Members service(element);
      Members config(service["config"]);
      const bool is_flat = service.contains("name");
      if (is_flat) config = flat_config(service);
      const std::string name = config.text("name").empty() ? "unnamed" : config.text("name");
      const std::string directory = free_path(root, name, "");
      if (element.type() == bson::Type::kObject) {
        tree_.put(directory + "/config.json", config.value());
      } else {
        tree_.put(directory + "/config.json", element);
      }
      put(directory + "/default_rule.json", service["default_rule"]);
      for (const Value& rule : elements(service["rules"], member)) {
        tree_.put(free_path(directory + "/rules/", rule_name(Members(rule)), ".json"), rule);
      }
      for (const Value& hook : elements(service["incoming_webhooks"], member)) {
        webhook(Members(hook), directory + "/incoming_webhooks/");
      }
    }
  }

  // The parts of a service of which the flat form makes members beside its configuration.
  static Members flat_config(Members service) {
    for (const std::string_view part : {"default_rule", "rules", "incoming_webhooks"}) {
      service.remove(part);
    }
    return service;
  }

  static std::string rule_name(const Members& rule) {
    if (!rule.text("name").empty()) return rule.text("name");
    return rule.text("database") + "." + rule.text("collection");
  }

  void webhook(Members hook, const std::string& root) {
    const bool is_pair = hook.contains("config");
    const Value source = hook.take("source");
    const Members config = is_pair ? Members(hook["config"]) : hook;
    const std::string name = config.text("name").empty() ? "unnamed" : config.text("name");
    const std::string directory = free_path(root, name, "");
    tree_.put(directory + "/config.json", config.value());
    if (const auto text = source.view().as_string()) {
      tree_.sources[directory + "/source.js"] = std::string(*text);
    }
  }

  void read_modern() {
    const Members auth = object(document_["auth"], "auth");
    put("auth/custom_user_data.json", auth["custom_user_data"]);
    put("auth/providers.json", auth["providers"]);
    if (document_["functions"].type() == bson::Type::kArray) {
      flat_functions(document_["functions"]);
    } else {
      functions();
    }
    data_sources(document_["data_sources"]);
    const std::string directory =
        tree_.config_version == kVersion2023 ? "https_endpoints/" : "http_endpoints/";
    services("http_endpoints", directory);
    if (document_["endpoints"].type() == bson::Type::kArray) {
      put(directory + "config.json", document_["endpoints"]);
    } else {
      put(directory + "config.json", object(document_["endpoints"], "endpoints")["config"]);
    }
    put(directory + "data_api_config.json", document_["data_api_config"]);
    put("sync/config.json", object(document_["sync"], "sync")["config"]);
  }

  void read_legacy() {
    int index = 0;
    for (const Value& element : elements(document_["auth_providers"], "auth_providers")) {
      std::string type = Members(element).text("type");
      if (type.empty()) type = std::to_string(index);
      tree_.put(free_path("auth_providers/", type, ".json"), element);
      ++index;
    }
    for (const Value& element : elements(document_["functions"], "functions")) {
      legacy_function(Members(element));
    }
    put("data_api_config.json", document_["data_api_config"]);
  }

  void legacy_function(const Members& function) {
    const Members config(function["config"]);
    const std::string name = config.text("name").empty() ? "unnamed" : config.text("name");
    const std::string directory = free_path("functions/", name, "");
    tree_.put(directory + "/config.json", config.value());
    if (const auto text = function["source"].as_string()) {
      tree_.sources[directory + "/source.js"] = std::string(*text);
    }
  }

  void functions() {
    const Members functions = object(document_["functions"], "functions");
    put("functions/config.json", functions["config"]);
    for (const auto& [path, source] : object(functions["sources"], "functions/sources").list()) {
      if (path.ends_with(".js")) add_source(path, source);
    }
  }

  void add_source(const std::string& path, ValueView source) {
    const auto text = source.as_string();
    if (!is_safe_path(path)) {
      findings_.error("functions", "", "FunctionInvalid",
                      "'" + path + "' cannot be the path of a function");
    } else if (!text) {
      findings_.error("functions/" + path, "", "FunctionInvalid", "the source must be a string");
    } else {
      tree_.sources["functions/" + path] = std::string(*text);
    }
  }

  void flat_functions(ValueView list) {
    std::vector<Value> manifest;
    for (const Value& element : elements(list, "functions")) {
      Members function(element);
      const Value source = function.take("source");
      const std::string name = function.text("name");
      manifest.push_back(element.type() == bson::Type::kObject ? function.value() : element);
      if (!name.empty() && !source.is_missing()) add_source(name + ".js", source);
    }
    tree_.put("functions/config.json", array_of(manifest));
  }

  void providers(ValueView list) {
    Members providers;
    int index = 0;
    for (const Value& element : elements(list, "auth_providers")) {
      std::string type = Members(element).text("type");
      if (type.empty()) type = std::to_string(index);
      if (providers.contains(type)) type += "~" + std::to_string(index);
      providers.set(type, element);
      ++index;
    }
    tree_.put("auth/providers.json", providers.value());
  }

  void data_sources(ValueView list) {
    for (const Value& element : elements(list, "data_sources")) {
      const Members source(element);
      const bool is_flat = source.contains("name");
      const Members config = is_flat ? flat_config(source) : Members(source["config"]);
      const std::string name = config.text("name").empty() ? "unnamed" : config.text("name");
      const std::string directory = free_path("data_sources/", name, "");
      if (element.type() == bson::Type::kObject) {
        tree_.put(directory + "/config.json", config.value());
      } else {
        tree_.put(directory + "/config.json", element);
      }
      put(directory + "/default_rule.json", source["default_rule"]);
      for (const Value& rule : elements(source["rules"], "data_sources")) {
        collection(Members(rule), directory);
      }
    }
  }

  void collection(Members rule, const std::string& directory) {
    const Value schema = rule.take("schema");
    const Value relationships = rule.take("relationships");
    const std::string database = rule.text("database");
    const std::string name = rule.text("collection");
    const std::string at = free_path(directory + "/" + path_component(database) + "/", name, "");
    const bool has_own_place = at == directory + "/" + database + "/" + name;
    const bool has_schema = !schema.view().is_nullish() || !relationships.view().is_nullish();
    const bool has_rule = rule.contains("roles") || rule.contains("filters");
    if (has_rule || !has_schema || !has_own_place) tree_.put(at + "/rules.json", rule.value());
    put(at + "/schema.json", schema);
    put(at + "/relationships.json", relationships);
  }

  // Schemas that come beside the rules.
  void schemas() {
    for (const Value& element : elements(document_["schemas"], "schemas")) {
      const Members schema(element);
      const Members metadata(schema["metadata"]);
      const std::string directory = "data_sources/" + path_component(metadata.text("data_source")) +
                                    "/" + path_component(metadata.text("database")) + "/" +
                                    path_component(metadata.text("collection"));
      put(directory + "/schema.json", schema["schema"]);
      put(directory + "/relationships.json", schema["relationships"]);
      const bool has_own_place = directory == "data_sources/" + metadata.text("data_source") + "/" +
                                                  metadata.text("database") + "/" +
                                                  metadata.text("collection");
      if (has_own_place || tree_.json.contains(directory + "/rules.json")) continue;
      Members rule;
      rule.set("database", Value(metadata["database"]));
      rule.set("collection", Value(metadata["collection"]));
      tree_.put(directory + "/rules.json", rule.value());
    }
  }

  Members document_;
  Findings& findings_;
  Tree tree_;
};

std::vector<Value> with_sources(const Members& functions) {
  const Members sources(functions["sources"]);
  std::vector<Value> out;
  for (const Value& element : elements_of(functions["config"])) {
    Members entry(element);
    const std::string name = entry.text("name");
    ValueView source = sources[name + ".js"];
    for (const auto& [path, text] : sources.list()) {
      if (source.is_missing() && stem(path) == name) source = text.view();
    }
    entry.set("source", source.is_missing() ? Value::of("") : Value(source));
    out.push_back(entry.value());
  }
  return out;
}

// The parts of a service in one object, as the flat form has them.
Value flat_service(const Value& value) {
  const Members service(value);
  Members out(service["config"]);
  for (const std::string_view part : {"default_rule", "rules", "incoming_webhooks"}) {
    if (!is_empty(service[part])) out.set(part, Value(service[part]));
  }
  return out.value();
}

std::vector<Value> flat_services(ValueView list) {
  std::vector<Value> out;
  for (const Value& element : elements_of(list)) out.push_back(flat_service(element));
  return out;
}

// Takes the schemas out of the rules of the data sources.
std::vector<Value> take_schemas(std::vector<Value>& sources) {
  std::vector<Value> schemas;
  for (Value& value : sources) {
    Members source(value);
    std::vector<Value> rules;
    for (const Value& element : elements_of(source["rules"])) {
      Members rule(element);
      const Value schema = rule.take("schema");
      const Value relationships = rule.take("relationships");
      if (!schema.is_missing() || !relationships.is_missing()) {
        Members metadata;
        metadata.set("data_source", Value(source["name"]));
        metadata.set("database", Value(rule["database"]));
        metadata.set("collection", Value(rule["collection"]));
        Members out;
        out.set("metadata", metadata.value());
        out.set("schema", schema.is_missing() ? Value::of(bson::Document()) : schema);
        out.set("relationships",
                relationships.is_missing() ? Value::of(bson::Document()) : relationships);
        schemas.push_back(out.value());
      }
      const bool has_rule = rule.contains("roles") || rule.contains("filters");
      if (has_rule || schema.is_missing()) rules.push_back(rule.value());
    }
    if (source.contains("rules")) source.set("rules", array_of(rules));
    source.remove_if_empty("rules");
    value = source.value();
  }
  return schemas;
}

Value or_null(ValueView value) { return value.is_missing() ? Value::null() : Value(value); }

Value or_object(ValueView value) {
  return value.is_nullish() ? Value::of(bson::Document()) : Value(value);
}

}  // namespace

bson::Document to_import_document(const Tree& tree) {
  DocumentWriter writer(tree);
  return tree.is_legacy() ? writer.legacy() : writer.modern();
}

Tree from_import_document(bson::View document, Findings& findings) {
  return DocumentReader(document, findings).read();
}

bson::Document to_push_document(const Tree& tree) {
  Findings unused;
  Tree newest = to_layout(tree, kVersion2023, unused);
  normalise(newest);
  const Members from(bson::Value::of(to_import_document(newest)));
  Members out;
  for (const std::string_view name :
       {"name", "provider_region", "deployment_model", "environment"}) {
    out.set(name, Value::of(from.text(name)));
  }
  if (from.contains("allowed_request_origins")) {
    out.set("allowed_request_origins", Value(from["allowed_request_origins"]));
  }
  const Members auth(from["auth"]);
  std::vector<Value> providers;
  for (const auto& [type, provider] : Members(auth["providers"]).list())
    providers.push_back(provider);
  out.set("auth_providers", array_of(providers));
  out.set("custom_user_data", or_null(auth["custom_user_data"]));
  out.set("data_api_config", or_null(from["data_api_config"]));
  std::vector<Value> sources = flat_services(from["data_sources"]);
  const std::vector<Value> schemas = take_schemas(sources);
  out.set("data_sources", array_of(sources));
  out.set("endpoints", array_of(elements_of(Members(from["endpoints"])["config"])));
  const Members environments(from["environments"]);
  Members values;
  for (const std::string_view tag : kTags) {
    const std::string file(file_name(environment_file(tag)));
    values.set(tag, or_object(Members(environments[file])["values"]));
  }
  Members by_tag;
  by_tag.set("values", values.value());
  out.set("environments", by_tag.value());
  out.set("functions", array_of(with_sources(Members(from["functions"]))));
  const Members graphql(from["graphql"]);
  Members own_graphql;
  own_graphql.set("config", or_object(graphql["config"]));
  own_graphql.set("validation_settings", or_object(graphql["validation_settings"]));
  own_graphql.set("custom_resolvers", array_of(elements_of(graphql["custom_resolvers"])));
  out.set("graphql", own_graphql.value());
  out.set("hosting", or_object(from["hosting"]));
  out.set("https_endpoints", array_of(flat_services(from["http_endpoints"])));
  out.set("log_forwarders", array_of(elements_of(from["log_forwarders"])));
  out.set("schemas", array_of(schemas));
  out.set("services", array_of(flat_services(from["services"])));
  out.set("sync", or_object(Members(from["sync"])["config"]));
  out.set("triggers", array_of(elements_of(from["triggers"])));
  out.set("values", array_of(elements_of(from["values"])));
  return out.document();
}

Tree from_push_document(bson::View document, Findings& findings) {
  return DocumentReader(document, findings).read_push();
}

}  // namespace restitch::app
