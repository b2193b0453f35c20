#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "app/assembly.h"

namespace restitch::app {
namespace {

constexpr std::array<std::string_view, 3> kTypes = {"mongodb-atlas", "datalake", "mongodb"};
constexpr std::array<std::string_view, 5> kReadPreferences = {
    "primary", "primaryPreferred", "secondary", "secondaryPreferred", "nearest"};
constexpr std::string_view kPrimary = "primary";

bool is_data_source_type(std::string_view type) {
  return std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

std::string read_preference(const Node& node) {
  return node.text().empty() ? std::string(kPrimary) : node.choice(kReadPreferences, kPrimary);
}

bson::Document tag_sets(const Node& node, const std::string& read_preference) {
  if (!node.exists() || !node.is_array()) return {};
  bson::Document sets(node.value().get_document());
  if (!sets.empty() && read_preference == kPrimary) {
    node.error("needs a readPreference other than primary");
  }
  return sets;
}

void read_cluster(const Node& config, DataSourceConfig& source) {
  source.cluster_name = config["clusterName"].text();
  if (source.cluster_name.empty() && source.type == SourceType::kAtlas) {
    config["clusterName"].warning(
        "is missing; a new data source gets the cluster that is built in");
  }
  source.read_preference = read_preference(config["readPreference"]);
  source.read_preference_tag_sets =
      tag_sets(config["readPreferenceTagSets"], source.read_preference);
  source.wire_protocol_enabled = config["wireProtocolEnabled"].flag();
}

// A federated source has neither read preference nor wire protocol.
void read_data_lake(const Node& config, DataSourceConfig& source) {
  source.cluster_name = config["dataLakeName"].required_text();
  const std::string preference = config["readPreference"].text();
  if (!preference.empty() && preference != kPrimary) {
    config["readPreference"].error("is not available for a federated data source");
  }
  if (config["wireProtocolEnabled"].flag()) {
    config["wireProtocolEnabled"].error("is not available for a federated data source");
  }
}

void read_self_hosted(const Node& file, DataSourceConfig& source) {
  read_cluster(file["config"], source);
  source.uri = file["config"]["uri"].text();
  source.uri_secret = file["secret_config"]["uri"].text();
}

DataSourceConfig read_source(Assembly& assembly, const Node& file, const std::string& directory) {
  DataSourceConfig source;
  source.directory = directory;
  source.raw = file.object();
  source.name = file["name"].required_text();
  check_name(file["name"], source.name);
  assembly.claim_name(file["name"], "Services", source.name, "ServiceAlreadyExists");
  const std::string type = file["type"].required_text();
  if (type == "datalake") {
    source.type = SourceType::kDataLake;
    read_data_lake(file["config"], source);
  } else if (type == "mongodb") {
    source.type = SourceType::kSelfHosted;
    read_self_hosted(file, source);
  } else {
    if (!type.empty() && !is_data_source_type(type)) {
      file["type"].error(
          "unknown data source type '" + type + "', must be one of " + joined(kTypes),
          "ServiceTypeNotFound");
    }
    read_cluster(file["config"], source);
  }
  assembly.service_types[source.name] = type;
  for (const std::string_view key : {"id", "_id"}) {
    const auto id = file[key].value().as_string();
    if (id) assembly.service_names_by_id[std::string(*id)] = source.name;
  }
  return source;
}

// The collections of one data source.
class CollectionReader {
 public:
  CollectionReader(Assembly& assembly, DataSourceConfig& source)
      : assembly_(assembly), source_(source) {}

  void read_default_rule(const Node& file) {
    if (!file.exists() || !file.is_object()) return;
    source_.has_default_rule = true;
    read_rule(file, source_.default_roles, source_.default_filters);
    refuse_rules_of_data_lake(file);
  }

  // <directory>/<database>/<collection>/{rules,schema,relationships}.json
  void read_directory(const std::string& database, const std::string& name,
                      const std::string& directory) {
    const Node rule = assembly_.file(directory + "/rules.json");
    CollectionConfig collection;
    collection.directory = directory;
    collection.rules_file = directory + "/rules.json";
    collection.schema_file = directory + "/schema.json";
    collection.database = rule["database"].text(database);
    collection.collection = rule["collection"].text(name);
    if (rule.exists() && rule.is_object()) {
      if (rule.value().get_document().empty()) rule.error("rules file cannot be empty");
      read_own_rule(rule, collection);
    }
    read_schema(assembly_.file(collection.schema_file),
                assembly_.file(directory + "/relationships.json"), collection);
    add(rule.exists() ? rule : assembly_.file(collection.schema_file), std::move(collection));
  }

  // A rule of the legacy layouts, with the schema inside.
  void read_legacy_rule(const Node& rule) {
    if (!rule.is_object()) return;
    CollectionConfig collection;
    collection.directory = std::string(rule.file());
    collection.rules_file = collection.directory;
    collection.schema_file = collection.directory;
    collection.schema_pointer = "/schema";
    const std::string_view name = stem(rule.file());
    const std::size_t dot = name.find('.');
    const bool has_names = dot != std::string_view::npos;
    collection.database = rule["database"].text(has_names ? name.substr(0, dot) : "");
    collection.collection = rule["collection"].text(has_names ? name.substr(dot + 1) : "");
    read_own_rule(rule, collection);
    read_schema(rule["schema"], rule["relationships"], collection);
    add(rule, std::move(collection));
  }

 private:
  void read_own_rule(const Node& rule, CollectionConfig& collection) {
    collection.has_rules = true;
    read_rule(rule, collection.roles, collection.filters);
    if (!collection.roles.empty() || !collection.filters.empty()) refuse_rules_of_data_lake(rule);
  }

  void refuse_rules_of_data_lake(const Node& node) const {
    if (source_.type != SourceType::kDataLake) return;
    node.error("a federated data source has no rules");
  }

  static void read_schema(const Node& schema, const Node& relationships,
                          CollectionConfig& collection) {
    if (schema.exists() && schema.is_object()) collection.schema = schema.object();
    if (relationships.exists()) {
      collection.relationships = app::read_relationships(relationships, collection.schema);
    }
  }

  void add(const Node& node, CollectionConfig collection) {
    if (collection.database.empty()) node["database"].error("is required", "MissingParameter");
    if (collection.collection.empty()) node["collection"].error("is required", "MissingParameter");
    if (collection.database.empty() || collection.collection.empty()) return;
    const std::string name = collection.database + "." + collection.collection;
    if (!names_.insert(name).second) {
      node.error("must specify unique names when importing MongoDB Rules; duplicate name: " + name,
                 "RuleDuplicateName");
    }
    source_.collections.push_back(std::move(collection));
  }

  Assembly& assembly_;
  DataSourceConfig& source_;
  std::set<std::string> names_;
};

struct CollectionPath {
  std::string database, collection, directory;
};

// The collection directories below `directory`, which ends with '/'.
std::vector<CollectionPath> collections_below(const Tree& tree, const std::string& directory) {
  std::vector<CollectionPath> out;
  for (auto it = tree.json.lower_bound(directory);
       it != tree.json.end() && it->first.starts_with(directory); ++it) {
    const std::string_view at = parent(it->first);
    const std::string_view database_at = parent(at);
    if (at.size() <= directory.size() || database_at.size() <= directory.size()) continue;
    if (!out.empty() && out.back().directory == at) continue;
    out.push_back(
        {std::string(file_name(database_at)), std::string(file_name(at)), std::string(at)});
  }
  return out;
}

// Names of the directories directly below `directory`, which ends with '/', that hold a file.
std::set<std::string> directories_below(const Tree& tree, const std::string& directory) {
  std::set<std::string> out;
  for (auto it = tree.json.lower_bound(directory);
       it != tree.json.end() && it->first.starts_with(directory); ++it) {
    const std::size_t slash = it->first.find('/', directory.size());
    if (slash == std::string::npos) continue;
    out.insert(it->first.substr(directory.size(), slash - directory.size()));
  }
  return out;
}

void read_modern(Assembly& assembly, const std::string& name) {
  const std::string directory = "data_sources/" + name;
  const std::string config_path = directory + "/config.json";
  const Node file = assembly.file(config_path);
  DataSourceConfig source;
  if (file.exists()) {
    if (!file.is_object()) return;
    source = read_source(assembly, file, directory);
  } else {
    if (!assembly.tree.broken.contains(config_path)) {
      file.warning("is missing; '" + name + "' is taken for a mongodb-atlas data source");
    }
    source.name = name;
    source.directory = directory;
    check_name(file, name);
    assembly.claim_name(file, "Services", name, "ServiceAlreadyExists");
    assembly.service_types[name] = "mongodb-atlas";
  }
  CollectionReader reader(assembly, source);
  reader.read_default_rule(assembly.file(directory + "/default_rule.json"));
  for (const CollectionPath& path : collections_below(assembly.tree, directory + "/")) {
    reader.read_directory(path.database, path.collection, path.directory);
  }
  assembly.config.data_sources.push_back(std::move(source));
}

// A data source among the services, as the legacy layouts have all of them.
void read_among_services(Assembly& assembly, const Node& file, const std::string& directory) {
  DataSourceConfig source = read_source(assembly, file, directory);
  CollectionReader reader(assembly, source);
  reader.read_default_rule(assembly.file(directory + "/default_rule.json"));
  assembly.each_file(directory + "/rules",
                     [&](const Node& rule) { reader.read_legacy_rule(rule); });
  assembly.config.data_sources.push_back(std::move(source));
}

}  // namespace

void read_data_sources(Assembly& assembly) {
  for (const std::string& name : directories_below(assembly.tree, "data_sources/")) {
    read_modern(assembly, name);
  }
  for (const std::string& name : directories_below(assembly.tree, "services/")) {
    const std::string directory = "services/" + name;
    const Node file = assembly.file(directory + "/config.json");
    const auto type = file["type"].value().as_string();
    if (type && is_data_source_type(*type)) read_among_services(assembly, file, directory);
  }
}

}  // namespace restitch::app
