#include "app/writing/normal_form.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <utility>

#include "app/names.h"
#include "app/root.h"
#include "app/writing/ids.h"
#include "app/writing/layouts.h"
#include "app/writing/members.h"

namespace restitch::app {
namespace {

using bson::Value;
using bson::ValueView;
using Names = std::span<const std::string_view>;

constexpr std::array<std::string_view, 9> kRootOrder = {
    "config_version", "app_id",          "name",
    "location",       "provider_region", "deployment_model",
    "environment",    "domain",          "allowed_request_origins"};
constexpr std::array<std::string_view, 9> kProviderOrder = {"id",
                                                            "name",
                                                            "type",
                                                            "disabled",
                                                            "config",
                                                            "secret_config",
                                                            "metadata_fields",
                                                            "redirect_uris",
                                                            "domain_restrictions"};
constexpr std::array<std::string_view, 7> kCustomDataOrder = {"enabled",
                                                              "mongo_service_id",
                                                              "mongo_service_name",
                                                              "database_name",
                                                              "collection_name",
                                                              "user_id_field",
                                                              "on_user_creation_function_name"};
constexpr std::array<std::string_view, 6> kServiceOrder = {"id",     "name",          "type",
                                                           "config", "secret_config", "version"};
constexpr std::array<std::string_view, 6> kClusterOrder = {
    "clusterName",    "dataLakeName",          "uri",
    "readPreference", "readPreferenceTagSets", "wireProtocolEnabled"};
constexpr std::array<std::string_view, 7> kRuleOrder = {
    "id", "database", "collection", "roles", "filters", "schema", "relationships"};
constexpr std::array<std::string_view, 10> kRoleOrder = {
    "name",   "apply_when", "document_filters", "read",   "write",
    "insert", "delete",     "search",           "fields", "additional_fields"};
constexpr std::array<std::string_view, 4> kFilterOrder = {"name", "apply_when", "query",
                                                          "projection"};
constexpr std::array<std::string_view, 4> kRelationshipOrder = {"ref", "source_key", "foreign_key",
                                                                "is_list"};
constexpr std::array<std::string_view, 8> kFunctionOrder = {"id",
                                                            "name",
                                                            "private",
                                                            "can_evaluate",
                                                            "disable_arg_logs",
                                                            "run_as_system",
                                                            "run_as_user_id",
                                                            "run_as_user_id_script_source"};
constexpr std::array<std::string_view, 6> kTriggerOrder = {
    "id", "name", "type", "disabled", "config", "event_processors"};
constexpr std::array<std::string_view, 13> kTriggerConfigOrder = {
    "service_name", "service_id",     "database",
    "collection",   "operation_type", "operation_types",
    "providers",    "schedule",       "skip_catchup_events",
    "unordered",    "full_document",  "full_document_before_change",
    "match"};
constexpr std::array<std::string_view, 13> kEndpointOrder = {"id",
                                                             "route",
                                                             "http_method",
                                                             "function_name",
                                                             "function_id",
                                                             "validation_method",
                                                             "secret_name",
                                                             "secret_id",
                                                             "respond_result",
                                                             "fetch_custom_user_data",
                                                             "create_user_on_auth",
                                                             "disabled",
                                                             "return_type"};
constexpr std::array<std::string_view, 12> kDataApiOrder = {"versions",
                                                            "run_as_system",
                                                            "run_as_user_id",
                                                            "run_as_user_id_script_source",
                                                            "disabled",
                                                            "validation_method",
                                                            "can_evaluate",
                                                            "return_type",
                                                            "fetch_custom_user_data",
                                                            "create_user_on_auth",
                                                            "secret_name",
                                                            "log_function_arguments"};
constexpr std::array<std::string_view, 5> kValueOrder = {"id", "name", "value", "private",
                                                         "from_secret"};
constexpr std::array<std::string_view, 8> kResolverOrder = {
    "id",         "on_type",           "field_name",   "function_name",
    "input_type", "input_type_format", "payload_type", "payload_type_format"};
constexpr std::array<std::string_view, 2> kGraphqlOrder = {"use_natural_pluralization",
                                                           "disable_schema_introspection"};
constexpr std::array<std::string_view, 5> kHostingOrder = {
    "enabled", "custom_domain", "app_default_domain", "default_error_path", "default_error_code"};
constexpr std::array<std::string_view, 12> kSyncOrder = {"type",
                                                         "state",
                                                         "development_mode_enabled",
                                                         "service_name",
                                                         "database_name",
                                                         "partition",
                                                         "client_max_offline_days",
                                                         "is_recovery_mode_disabled",
                                                         "queryable_fields_names",
                                                         "indexed_queryable_fields_names",
                                                         "collection_queryable_fields_names",
                                                         "asymmetric_tables"};
constexpr std::array<std::string_view, 7> kForwarderOrder = {
    "id", "name", "disabled", "log_types", "log_statuses", "policy", "action"};
constexpr std::array<std::string_view, 4> kServiceRuleOrder = {"id", "name", "actions", "when"};
constexpr std::array<std::string_view, 11> kWebhookOrder = {"id",
                                                            "name",
                                                            "can_evaluate",
                                                            "disable_arg_logs",
                                                            "run_as_authed_user",
                                                            "run_as_user_id",
                                                            "run_as_user_id_script_source",
                                                            "fetch_custom_user_data",
                                                            "create_user_on_auth",
                                                            "respond_result",
                                                            "options"};
constexpr std::array<std::string_view, 5> kEnvironments = {"no-environment", "development",
                                                           "testing", "qa", "production"};

Value yes_or_no(bool value) { return Value::of(value); }
Value empty_object() { return Value::of(bson::Document()); }
Value empty_array() { return Value::array(bson::Document()); }

bool is_true_expression(ValueView value) {
  if (value.is_nullish()) return true;
  if (value.type() == bson::Type::kBool) return value.get_bool();
  const auto object = value.as_object();
  return object && object->empty();
}

// A name below `directory` that no other file has: the name, or the name with a number.
std::string free_path(const std::map<std::string, Value>& taken, const std::string& directory,
                      std::string_view name, std::string_view ending) {
  const std::string base = directory + path_component(name);
  std::string path = base + std::string(ending);
  for (int number = 2; taken.contains(path); ++number) {
    path = base + "~" + std::to_string(number) + std::string(ending);
  }
  return path;
}

// The modern layouts, file by file.
class Normaliser {
 public:
  Normaliser(Tree& tree, NormalForm form) : tree_(tree), form_(form) {}

  void run() {
    tree_.remove("secrets.json");
    tree_.remove(".mdb/app_meta.json");
    tree_.remove(".mdb/meta.json");
    if (!form_.keep_ids) resolve_ids(tree_);
    root();
    providers();
    each("auth/custom_user_data.json", [](Members& file) { file.order(kCustomDataOrder); });
    for (const std::string& path : paths_below("data_sources/")) data_source_file(path);
    complete_collections();
    functions();
    renamed_below("triggers/", "name", &Normaliser::trigger);
    renamed_below("values/", "name", [](Members& file) {
      file.remove_if_empty("private");
      file.set_default("from_secret", yes_or_no(false));
      file.order(kValueOrder);
    });
    renamed_below("log_forwarders/", "name", [](Members& file) { file.order(kForwarderOrder); });
    endpoints();
    graphql();
    each("hosting/config.json", [](Members& file) { file.order(kHostingOrder); });
    each("sync/config.json", [](Members& file) { file.order(kSyncOrder); });
    for (const std::string_view root : {"services/", "http_endpoints/", "https_endpoints/"}) {
      for (const std::string& path : paths_below(root)) service_file(path, root);
    }
    environments();
    if (form_.sort_members) sort_all();
  }

 private:
  void drop_ids(Members& members) const {
    if (form_.keep_ids) {
      if (!members.contains("id") && members.contains("_id")) {
        members.set("id", members.take("_id"));
      }
      members.remove("_id");
      return;
    }
    members.remove("id");
    members.remove("_id");
  }

  template <typename Change>
  void each(const std::string& path, Change change) {
    const ValueView value = tree_.as_written(path);
    if (value.type() != bson::Type::kObject) return;
    Members members(value);
    drop_ids(members);
    change(members);
    tree_.put(path, members.value());
  }

  std::vector<std::string> paths_below(std::string_view prefix) const {
    std::vector<std::string> paths;
    for (auto it = tree_.json.lower_bound(std::string(prefix));
         it != tree_.json.end() && it->first.starts_with(prefix); ++it) {
      paths.push_back(it->first);
    }
    return paths;
  }

  // Files named after one of their members.
  template <typename Change>
  void renamed_below(const std::string& directory, std::string_view member, Change change) {
    std::vector<std::pair<std::string, Value>> files;
    for (const std::string& path : paths_below(directory)) {
      if (path.find('/', directory.size()) != std::string::npos) continue;
      each(path, change);
      const Members members(tree_.as_written(path));
      std::string name = members.text(member);
      if (name.empty()) name = stem(path);
      files.emplace_back(std::move(name), Value(tree_.as_written(path)));
      tree_.remove(path);
    }
    for (auto& [name, content] : files) {
      tree_.put(free_path(tree_.json, directory, name, ".json"), std::move(content));
    }
  }

  void root() {
    Members root(tree_.as_written(tree_.root_file));
    if (tree_.config_version == kVersion2023) {
      root.remove("config_version");
      root.remove_if_empty("app_id");
    } else {
      root.set("config_version", Value::of(static_cast<std::int32_t>(tree_.config_version)));
    }
    for (const std::string_view name :
         {"app_id", "name", "location", "provider_region", "deployment_model", "environment",
          "allowed_request_origins"}) {
      root.remove_if_empty(name);
    }
    Value hosting = root.take("hosting");
    if (!is_empty(hosting) && !tree_.json.contains("hosting/config.json")) {
      tree_.put("hosting/config.json", std::move(hosting));
    }
    root.order(kRootOrder);
    tree_.put(tree_.root_file, root.value());
  }

  void providers() {
    const std::string path = "auth/providers.json";
    if (tree_.as_written(path).type() != bson::Type::kObject) return;
    const Value sorted_by_type = [&] {
      std::vector<std::pair<std::string, Value>> list = Members(tree_.as_written(path)).list();
      std::stable_sort(list.begin(), list.end(), [](const auto& left, const auto& right) {
        return left.first < right.first;
      });
      Members out;
      for (auto& [name, value] : list) out.set(name, std::move(value));
      return out.value();
    }();
    tree_.put(path, map_members(sorted_by_type, [&](std::string_view type, ValueView value) {
                if (value.type() != bson::Type::kObject) return Value(value);
                Members provider(value);
                drop_ids(provider);
                provider.set_default("type", Value::of(type));
                provider.set_default("name", Value(provider["type"]));
                provider.set_default("disabled", yes_or_no(false));
                for (const std::string_view name : {"config", "secret_config", "metadata_fields",
                                                    "redirect_uris", "domain_restrictions"}) {
                  provider.remove_if_empty(name);
                }
                provider.order(kProviderOrder);
                return provider.value();
              }));
  }

  // data_sources/<service>/… : the service's files and those of its collections.
  void data_source_file(const std::string& path) {
    const std::string_view name = file_name(path);
    if (name == "config.json") {
      each(path, [](Members& file) { cluster(file); });
    } else if (name == "default_rule.json" || name == "rules.json") {
      each(path, [&](Members& file) { rule(file); });
    } else if (name == "relationships.json") {
      const ValueView file = tree_.as_written(path);
      tree_.put(path, map_members(file, [](std::string_view, ValueView value) {
                  Members relationship(value);
                  relationship.order(kRelationshipOrder);
                  return value.type() == bson::Type::kObject ? relationship.value() : Value(value);
                }));
    }
  }

  static void cluster(Members& file) {
    file.remove("version");
    file.remove_if_empty("secret_config");
    Members config(file["config"]);
    const std::string type = file.text("type");
    config.remove_if_empty("clusterName");
    config.remove_if_empty("readPreferenceTagSets");
    if (type == "mongodb-atlas") {
      if (config.text("readPreference").empty()) {
        config.set("readPreference", Value::of("primary"));
      }
      config.set_default("wireProtocolEnabled", yes_or_no(false));
    }
    config.order(kClusterOrder);
    file.set("config", config.value());
    file.order(kServiceOrder);
  }

  void rule(Members& file) const {
    file.change("roles", [&](ValueView roles) {
      return map_elements(roles, [&](ValueView value) {
        Members role(value);
        role.remove("id");
        role.remove("_id");
        role.order(kRoleOrder);
        return value.type() == bson::Type::kObject ? role.value() : Value(value);
      });
    });
    file.change("filters", [&](ValueView filters) {
      return map_elements(filters, [&](ValueView value) {
        Members filter(value);
        filter.remove("id");
        filter.remove("_id");
        if (filter.contains("project")) {
          Value projection = filter.take("project");
          filter.set_default("projection", std::move(projection));
        }
        filter.order(kFilterOrder);
        return value.type() == bson::Type::kObject ? filter.value() : Value(value);
      });
    });
    if (file["roles"].is_nullish()) file.remove("roles");
    if (file.contains("roles")) {
      file.remove_if_empty("filters");
    } else if (file["filters"].is_nullish()) {
      file.remove("filters");
    }
    file.order(kRuleOrder);
  }

  // The collection directories: names in rules.json, a schema beside its relationships, no
  // rules.json that says nothing.
  void complete_collections() {
    std::set<std::string> directories;
    for (const std::string& path : paths_below("data_sources/")) {
      if (std::count(path.begin(), path.end(), '/') == 4)
        directories.insert(std::string(parent(path)));
    }
    for (const std::string& directory : directories) {
      const std::string rules_path = directory + "/rules.json";
      const bool has_schema = tree_.json.contains(directory + "/schema.json");
      if (has_schema && !tree_.json.contains(directory + "/relationships.json")) {
        tree_.put(directory + "/relationships.json", empty_object());
      }
      if (tree_.as_written(rules_path).type() != bson::Type::kObject) continue;
      const std::string database(file_name(parent(directory)));
      const std::string collection(file_name(directory));
      Members rules(tree_.as_written(rules_path));
      rules.set_default("database", Value::of(database));
      rules.set_default("collection", Value::of(collection));
      rules.order(kRuleOrder);
      const bool says_nothing = rules.list().size() == 2 && rules.text("database") == database &&
                                rules.text("collection") == collection;
      if (says_nothing && has_schema) {
        tree_.remove(rules_path);
      } else {
        tree_.put(rules_path, rules.value());
      }
    }
  }

  // The manifest: only what has a source, everything that has one.
  void functions() {
    constexpr std::string_view kManifest = "functions/config.json";
    std::vector<std::string> sources;
    for (auto it = tree_.sources.lower_bound("functions/");
         it != tree_.sources.end() && it->first.starts_with("functions/"); ++it) {
      sources.push_back(it->first.substr(10, it->first.size() - 13));
    }
    const ValueView manifest = tree_.as_written(std::string(kManifest));
    if (sources.empty() && manifest.is_missing()) return;
    if (!manifest.is_nullish() && manifest.type() != bson::Type::kArray) return;
    std::vector<Value> entries = elements_of(manifest);
    std::set<std::string> claimed;
    for (const Value& entry : entries) {
      const std::string name = Members(entry).text("name");
      if (std::find(sources.begin(), sources.end(), name) != sources.end()) claimed.insert(name);
    }
    std::vector<Value> kept;
    for (const Value& entry : entries) {
      if (entry.type() == bson::Type::kObject && claim(entry, sources, claimed)) {
        kept.push_back(manifest_entry(entry));
      }
    }
    for (const std::string& source : sources) {
      if (claimed.contains(source)) continue;
      Members entry;
      entry.set("name", Value::of(source));
      kept.push_back(manifest_entry(entry.value()));
    }
    tree_.put(std::string(kManifest), array_of(kept));
  }

  // Whether a manifest entry has a source: of its name, or the only one of that base name.
  static bool claim(ValueView entry, const std::vector<std::string>& sources,
                    std::set<std::string>& claimed) {
    const std::string name = Members(entry).text("name");
    if (claimed.contains(name)) return true;
    std::vector<std::string> matches;
    for (const std::string& source : sources) {
      if (!claimed.contains(source) && file_name(source) == name) matches.push_back(source);
    }
    if (matches.size() != 1) return matches.size() > 1;
    claimed.insert(matches.front());
    return true;
  }

  Value manifest_entry(ValueView value) const {
    Members entry(value);
    drop_ids(entry);
    entry.set_default("private", yes_or_no(false));
    if (is_true_expression(entry["can_evaluate"])) entry.remove("can_evaluate");
    for (const std::string_view name :
         {"disable_arg_logs", "run_as_system", "run_as_user_id", "run_as_user_id_script_source"}) {
      entry.remove_if_empty(name);
    }
    entry.order(kFunctionOrder);
    return entry.value();
  }

  static void trigger(Members& file) {
    const std::string type = file.text("type");
    file.set_default("disabled", yes_or_no(false));
    Members processors(file["event_processors"]);
    const std::string own = file.text("function_name");
    if (!own.empty()) {
      file.remove("function_name");
      file.remove("function_id");
    }
    if (processors.empty() && !own.empty()) {
      Members config;
      config.set("function_name", Value::of(own));
      Members function;
      function.set("config", config.value());
      processors.set("FUNCTION", function.value());
    }
    file.remove_if_empty("last_modified");
    if (!processors.empty()) file.set("event_processors", processors.value());
    Members config(file["config"]);
    if (type == "DATABASE") {
      for (const std::string_view name :
           {"skip_catchup_events", "unordered", "full_document", "full_document_before_change"}) {
        config.set_default(name, yes_or_no(false));
      }
      for (const std::string_view name : {"match", "project"}) {
        if (config[name].type() != bson::Type::kObject) config.set(name, empty_object());
      }
      config.remove_if_empty("tolerate_resume_errors");
      config.remove_if_empty("maximum_throughput");
    } else if (type == "SCHEDULED") {
      config.set_default("skip_catchup_events", yes_or_no(false));
    } else if (type == "AUTHENTICATION") {
      const std::vector<Value> operations = elements_of(config["operation_type"]);
      if (operations.size() == 1) config.set("operation_type", operations.front());
    }
    config.order(kTriggerConfigOrder);
    file.set("config", config.value());
    file.order(kTriggerOrder);
  }

  void endpoints() {
    const bool is_newest = tree_.config_version == kVersion2023;
    const std::string own = is_newest ? "https_endpoints/" : "http_endpoints/";
    const std::string other = is_newest ? "http_endpoints/" : "https_endpoints/";
    for (const std::string_view name : {"config.json", "data_api_config.json"}) {
      const std::string from = other + std::string(name);
      const std::string to = own + std::string(name);
      const Value moved(tree_.as_written(from));
      tree_.remove(from);
      if (!moved.is_missing() && is_empty(tree_.as_written(to))) tree_.put(to, moved);
    }
    if (tree_.json.contains(own + "config.json")) {
      const ValueView list = tree_.as_written(own + "config.json");
      tree_.put(own + "config.json",
                list.is_nullish() ? empty_array() : map_elements(list, [&](ValueView value) {
                  return endpoint(value);
                }));
    }
    each(own + "data_api_config.json", [](Members& file) { file.order(kDataApiOrder); });
  }

  Value endpoint(ValueView value) const {
    if (value.type() != bson::Type::kObject) return Value(value);
    Members endpoint(value);
    drop_ids(endpoint);
    if (endpoint.text("validation_method").empty()) {
      endpoint.set("validation_method", Value::of("NO_VALIDATION"));
    }
    for (const std::string_view name : {"secret_name", "secret_id", "function_id"}) {
      endpoint.remove_if_empty(name);
    }
    for (const std::string_view name :
         {"respond_result", "fetch_custom_user_data", "create_user_on_auth", "disabled"}) {
      endpoint.set_default(name, yes_or_no(false));
    }
    endpoint.remove_if_empty("return_type");
    endpoint.order(kEndpointOrder);
    return endpoint.value();
  }

  void graphql() {
    each("graphql/config.json", [](Members& file) { file.order(kGraphqlOrder); });
    const std::string directory = "graphql/custom_resolvers/";
    std::vector<std::pair<std::string, Value>> files;
    for (const std::string& path : paths_below(directory)) {
      each(path, [](Members& file) { file.order(kResolverOrder); });
      const Members resolver(tree_.as_written(path));
      std::string name = resolver.text("on_type") + "_" + resolver.text("field_name");
      for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
      files.emplace_back(std::move(name), Value(tree_.as_written(path)));
      tree_.remove(path);
    }
    for (auto& [name, content] : files) {
      tree_.put(free_path(tree_.json, directory, name, ".json"), std::move(content));
    }
  }

  void service_file(const std::string& path, std::string_view root) {
    const std::string_view rest = std::string_view(path).substr(root.size());
    const std::size_t slash = rest.find('/');
    if (slash == std::string_view::npos) return;
    const std::string_view inner = rest.substr(slash + 1);
    if (inner == "config.json") {
      each(path, [](Members& file) { file.order(kServiceOrder); });
    } else if (inner.starts_with("rules/")) {
      each(path, [](Members& file) { file.order(kServiceRuleOrder); });
    } else if (inner.starts_with("incoming_webhooks/")) {
      each(path, [](Members& file) { file.order(kWebhookOrder); });
    }
  }

  // Either all five or none.
  void environments() {
    if (paths_below("environments/").empty()) return;
    for (const std::string_view name : kEnvironments) {
      const std::string path = "environments/" + std::string(name) + ".json";
      Members file(tree_.as_written(path));
      file.set_default("values", empty_object());
      tree_.put(path, file.value());
    }
  }

  void sort_all() {
    std::vector<std::pair<std::string, Value>> files;
    for (const auto& [path, content] : tree_.json) files.emplace_back(path, tree_.as_written(path));
    for (const auto& [path, content] : files) {
      Value value = sorted(content);
      const bool is_list = path == "functions/config.json" ||
                           path.ends_with("_endpoints/config.json") ||
                           path.ends_with("https_endpoints/config.json");
      tree_.put(path, is_list ? sorted_list(value) : std::move(value));
    }
  }

  // Functions by name, endpoints by route and method.
  static Value sorted_list(ValueView list) {
    std::vector<Value> entries = elements_of(list);
    const auto key = [](const Value& entry) {
      const Members members(entry);
      return members.text("name") + members.text("route") + " " + members.text("http_method");
    };
    std::stable_sort(entries.begin(), entries.end(),
                     [&](const Value& left, const Value& right) { return key(left) < key(right); });
    return list.type() == bson::Type::kArray ? array_of(entries) : Value(list);
  }

  Tree& tree_;
  NormalForm form_;
};

Value with_secret_config(ValueView file, ValueView secret_config) {
  Members members(file);
  if (!is_empty(secret_config)) members.set("secret_config", Value(secret_config));
  return members.value();
}

}  // namespace

void normalise(Tree& tree, NormalForm form) {
  if (!tree.is_legacy()) {
    Normaliser(tree, form).run();
    return;
  }
  Findings unused;
  const int version = tree.config_version;
  Tree modern = to_layout(tree, kVersion2021, unused);
  Normaliser(modern, form).run();
  tree = to_layout(modern, version, unused);
  if (form.sort_members) {
    for (auto& [path, content] : std::map<std::string, Value>(tree.json)) {
      tree.put(path, sorted(tree.as_written(path)));
    }
  }
}

void complete(Tree& tree) {
  if (tree.is_legacy()) {
    Findings unused;
    const int version = tree.config_version;
    Tree modern = to_layout(tree, kVersion2021, unused);
    complete(modern);
    tree = to_layout(modern, version, unused);
    return;
  }
  for (const std::string_view name : kEnvironments) {
    const std::string path = "environments/" + std::string(name) + ".json";
    if (!tree.json.contains(path)) {
      tree.put(path, Value::of(bson::make_document("values", bson::Document())));
    }
  }
  Members providers(tree.as_written("auth/providers.json"));
  if (!providers.contains("api-key")) {
    Members api_key;
    api_key.set("name", Value::of("api-key"));
    api_key.set("type", Value::of("api-key"));
    api_key.set("disabled", yes_or_no(true));
    providers.set("api-key", api_key.value());
    std::vector<std::pair<std::string, Value>> list = providers.list();
    std::stable_sort(list.begin(), list.end(),
                     [](const auto& left, const auto& right) { return left.first < right.first; });
    Members ordered;
    for (auto& [name, value] : list) ordered.set(name, std::move(value));
    tree.put("auth/providers.json", ordered.value());
  }
  const bool is_newest = tree.config_version == kVersion2023;
  const std::pair<std::string, Value> defaults[] = {
      {"auth/custom_user_data.json", Value::of(bson::make_document("enabled", false))},
      {"functions/config.json", empty_array()},
      {"graphql/config.json", Value::of(bson::make_document("use_natural_pluralization", true))},
      {is_newest ? "https_endpoints/config.json" : "http_endpoints/config.json", empty_array()},
      {"sync/config.json", Value::of(bson::make_document("development_mode_enabled", false))},
  };
  for (const auto& [path, content] : defaults) {
    if (!tree.json.contains(path)) tree.put(path, content);
  }
}

void adopt_secret_names(Tree& tree, const Config& config) {
  const auto put_all = [&](const std::string& path, ValueView secret_config) {
    const ValueView file = tree.as_written(path);
    if (file.type() == bson::Type::kObject) tree.put(path, with_secret_config(file, secret_config));
  };
  for (const AuthProviderConfig& provider : config.auth_providers) {
    const bson::Value secrets = bson::Value::object(provider.secret_config.view());
    if (tree.is_legacy()) {
      put_all("auth_providers/" + provider.type + ".json", secrets);
      continue;
    }
    Members providers(tree.as_written("auth/providers.json"));
    if (!providers.contains(provider.type)) continue;
    providers.set(provider.type, with_secret_config(providers[provider.type], secrets));
    tree.put("auth/providers.json", providers.value());
  }
  for (const DataSourceConfig& source : config.data_sources) {
    put_all(source.directory + "/config.json", source.raw["secret_config"]);
  }
  for (const OpaqueFile& other : config.others) {
    const auto object = other.content.view().as_object();
    if (object && other.path.starts_with("services/") && other.path.ends_with("/config.json")) {
      put_all(other.path, object->find("secret_config"));
    }
  }
  tree.remove("secrets.json");
}

}  // namespace restitch::app
