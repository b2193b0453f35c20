#include "app/writing/layouts.h"

#include <array>
#include <set>
#include <utility>

#include "app/names.h"
#include "app/root.h"
#include "app/writing/ids.h"
#include "app/writing/members.h"

namespace restitch::app {
namespace {

using bson::Value;
using bson::ValueView;

constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kPlaces = {{
    {"US-VA", "aws-us-east-1"},
    {"US-OR", "aws-us-west-2"},
    {"DE-FF", "aws-eu-central-1"},
    {"IE", "aws-eu-west-1"},
    {"AU", "aws-ap-southeast-2"},
    {"IN-MB", "aws-ap-south-1"},
    {"SG", "aws-ap-southeast-1"},
    {"BR-SP", "aws-sa-east-1"},
}};

bool is_data_source_type(std::string_view type) {
  return type == "mongodb-atlas" || type == "datalake" || type == "mongodb";
}

bool is_legacy_version(int version) { return version < kVersion2021; }

// Copies what both families have alike: everything that `is_moved` does not name.
template <typename IsMoved>
Tree copy_of(const Tree& from, int version, IsMoved is_moved) {
  Tree to;
  to.config_version = version;
  to.root_file = root_file_of(version);
  to.fallback_name = from.fallback_name;
  to.broken = from.broken;
  for (const auto& [path, content] : from.json) {
    if (path != from.root_file && !is_moved(path)) to.put(path, Value(from.as_written(path)));
  }
  for (const auto& [path, text] : from.sources) {
    if (!is_moved(path)) to.sources.emplace(path, text);
  }
  return to;
}

std::string free_name(const std::set<std::string>& taken, std::string_view wanted) {
  const std::string base = path_component(wanted);
  std::string name = base;
  for (int number = 2; taken.contains(name); ++number) name = base + "~" + std::to_string(number);
  return name;
}

// The first component of a path behind `prefix`, and the rest.
std::pair<std::string, std::string> split_below(const std::string& path, std::string_view prefix) {
  const std::size_t slash = path.find('/', prefix.size());
  if (slash == std::string::npos) return {path.substr(prefix.size()), {}};
  return {path.substr(prefix.size(), slash - prefix.size()), path.substr(slash + 1)};
}

// 20180301 and 20200603 to 20210101.
class ToModern {
 public:
  explicit ToModern(const Tree& from) : from_(from) {
    for (const auto& [path, content] : from.json) {
      if (!path.starts_with("services/") || !path.ends_with("/config.json")) continue;
      const auto [name, rest] = split_below(path, "services/");
      if (rest == "config.json" && is_data_source_type(Members(content).text("type"))) {
        data_sources_.insert(name);
      }
    }
  }

  Tree convert() {
    to_ = copy_of(from_, kVersion2021, [&](const std::string& path) { return is_moved(path); });
    root();
    providers();
    functions();
    for (const std::string& name : data_sources_) data_source(name);
    if (!sync_.empty()) to_.put("sync/config.json", sync_.value());
    const Value data_api(from_.as_written("data_api_config.json"));
    if (!data_api.is_missing()) to_.put("http_endpoints/data_api_config.json", data_api);
    resolve_ids(to_);
    return std::move(to_);
  }

 private:
  bool is_moved(const std::string& path) const {
    if (path.starts_with("auth_providers/") || path.starts_with("functions/")) return true;
    if (path == "data_api_config.json") return true;
    return path.starts_with("services/") &&
           data_sources_.contains(split_below(path, "services/").first);
  }

  void root() {
    Members root(from_.as_written(from_.root_file));
    const Members security(root.take("security"));
    if (!is_empty(security["allowed_request_origins"])) {
      root.set("allowed_request_origins", Value(security["allowed_request_origins"]));
    }
    const std::pair<std::string_view, std::string> moved[] = {
        {"hosting", "hosting/config.json"},
        {"custom_user_data_config", "auth/custom_user_data.json"}};
    for (const auto& [member, path] : moved) {
      Value content = root.take(member);
      if (content.type() != bson::Type::kObject || is_empty(content)) continue;
      if (!to_.json.contains(path)) to_.put(path, std::move(content));
    }
    sync_ = Members(root.take("sync"));
    root.set("config_version", Value::of(static_cast<std::int32_t>(kVersion2021)));
    to_.put(to_.root_file, root.value());
  }

  void providers() {
    Members providers;
    for (const auto& [path, content] : from_.json) {
      if (!path.starts_with("auth_providers/")) continue;
      Members provider(from_.as_written(path));
      const std::string type =
          provider.contains("type") ? provider.text("type") : std::string(stem(path));
      providers.set(type.empty() ? stem(path) : type, Value(from_.as_written(path)));
    }
    if (!providers.empty()) to_.put("auth/providers.json", providers.value());
  }

  void functions() {
    std::vector<Value> manifest;
    std::set<std::string> taken;
    for (const auto& [path, text] : from_.sources) {
      if (!path.starts_with("functions/")) continue;
      const auto [directory, rest] = split_below(path, "functions/");
      Members entry(from_.as_written("functions/" + directory + "/config.json"));
      if (entry.text("name").empty()) entry.set("name", Value::of(directory));
      const std::string name = entry.text("name");
      to_.sources["functions/" + name + ".js"] = text;
      manifest.push_back(entry.value());
    }
    for (const auto& [path, content] : from_.json) {
      if (!path.starts_with("functions/")) continue;
      const auto [directory, rest] = split_below(path, "functions/");
      if (from_.sources.contains("functions/" + directory + "/source.js")) continue;
      manifest.emplace_back(from_.as_written(path));
    }
    if (!manifest.empty()) to_.put("functions/config.json", array_of(manifest));
  }

  void data_source(const std::string& name) {
    const std::string old_directory = "services/" + name;
    const std::string directory = "data_sources/" + name;
    Members file(from_.as_written(old_directory + "/config.json"));
    Members config(file["config"]);
    take_sync(config, file.text("name").empty() ? name : file.text("name"));
    if (file.contains("config")) file.set("config", config.value());
    to_.put(directory + "/config.json", file.value());
    if (const Value rule(from_.as_written(old_directory + "/default_rule.json"));
        !rule.is_missing()) {
      to_.put(directory + "/default_rule.json", rule);
    }
    std::set<std::string> taken;
    for (const auto& [path, content] : from_.json) {
      if (!path.starts_with(old_directory + "/rules/")) continue;
      collection(Members(from_.as_written(path)), stem(path), directory, taken);
    }
  }

  // The sync block of a service is a file of its own in the modern layouts.
  void take_sync(Members& config, const std::string& service) {
    for (const std::string_view member : {"sync", "flexible_sync"}) {
      const Members block(config.take(member));
      if (block.empty()) continue;
      sync_.set("type", Value::of(member == "sync" ? "partition" : "flexible"));
      sync_.set("service_name", Value::of(service));
      for (const auto& [name, value] : block.list()) sync_.set(name, value);
    }
  }

  void collection(Members rule, std::string_view file_stem, const std::string& directory,
                  std::set<std::string>& taken) {
    const std::size_t dot = file_stem.find('.');
    const std::string_view database = file_stem.substr(0, dot);
    const std::string_view name =
        dot == std::string_view::npos ? std::string_view() : file_stem.substr(dot + 1);
    rule.set_default("database", Value::of(database));
    rule.set_default("collection", Value::of(name));
    const std::string database_directory = path_component(rule.text("database"));
    const std::string own = database_directory + "/" + path_component(rule.text("collection"));
    std::string unique = own;
    for (int number = 2; taken.contains(unique); ++number)
      unique = own + "~" + std::to_string(number);
    taken.insert(unique);
    const std::string target = directory + "/" + unique;
    Value schema = rule.take("schema");
    Value relationships = rule.take("relationships");
    const bool has_schema = !is_empty(schema) || !is_empty(relationships);
    to_.put(target + "/rules.json", rule.value());
    if (has_schema) {
      to_.put(target + "/schema.json",
              schema.is_missing() ? Value::of(bson::Document()) : std::move(schema));
      to_.put(target + "/relationships.json", relationships.view().is_nullish()
                                                  ? Value::of(bson::Document())
                                                  : std::move(relationships));
    }
  }

  const Tree& from_;
  Tree to_;
  Members sync_;
  std::set<std::string> data_sources_;
};

// 20210101 to 20180301 or 20200603.
class ToLegacy {
 public:
  ToLegacy(const Tree& from, int version, Findings& findings)
      : from_(from), version_(version), findings_(findings) {}

  Tree convert() {
    to_ = copy_of(from_, version_, [](const std::string& path) { return is_moved(path); });
    root();
    for (const auto& [type, provider] : Members(from_.as_written("auth/providers.json")).list()) {
      to_.put("auth_providers/" + path_component(type) + ".json", provider);
    }
    functions();
    data_sources();
    for (const std::string& directory :
         {std::string("http_endpoints/"), std::string("https_endpoints/")}) {
      endpoints(directory);
    }
    return std::move(to_);
  }

 private:
  static bool is_moved(const std::string& path) {
    for (const std::string_view prefix : {"auth/", "functions/", "data_sources/", "http_endpoints/",
                                          "https_endpoints/", "sync/", ".mdb/"}) {
      if (path.starts_with(prefix)) return true;
    }
    return path == "hosting/config.json";
  }

  void root() {
    Members root(from_.as_written(from_.root_file));
    root.set("config_version", Value::of(static_cast<std::int32_t>(version_)));
    for (const auto& [location, region] : kPlaces) {
      if (root.text("location") == location && root.text("provider_region") == region) {
        root.remove("provider_region");
      }
    }
    Value origins = root.take("allowed_request_origins");
    Members security;
    if (!is_empty(origins)) security.set("allowed_request_origins", std::move(origins));
    if (!security.empty()) root.set("security", security.value());
    const std::pair<std::string_view, std::string> moved[] = {
        {"hosting", "hosting/config.json"},
        {"custom_user_data_config", "auth/custom_user_data.json"}};
    for (const auto& [member, path] : moved) {
      const Value content(from_.as_written(path));
      if (!is_empty(content)) root.set(member, content);
    }
    const Members sync(from_.as_written("sync/config.json"));
    if (sync.contains("development_mode_enabled")) {
      Members mode;
      mode.set("development_mode_enabled", Value(sync["development_mode_enabled"]));
      root.set("sync", mode.value());
    }
    to_.put(to_.root_file, root.value());
  }

  void functions() {
    std::set<std::string> taken;
    std::set<std::string> written;
    for (const Value& value : elements_of(from_.as_written("functions/config.json"))) {
      const Members entry(value);
      const std::string name = entry.text("name");
      const std::string* source = source_of(name, written);
      const std::string directory = free_name(taken, name);
      taken.insert(directory);
      to_.put("functions/" + directory + "/config.json", value);
      if (source != nullptr) to_.sources["functions/" + directory + "/source.js"] = *source;
    }
    for (const auto& [path, text] : from_.sources) {
      if (!path.starts_with("functions/") || written.contains(path)) continue;
      const std::string name = path.substr(10, path.size() - 13);
      const std::string directory = free_name(taken, name);
      taken.insert(directory);
      Members entry;
      entry.set("name", Value::of(name));
      to_.put("functions/" + directory + "/config.json", entry.value());
      to_.sources["functions/" + directory + "/source.js"] = text;
    }
  }

  // The source of a manifest entry: of its path, else the only one of that base name.
  const std::string* source_of(const std::string& name, std::set<std::string>& written) const {
    const std::string own = "functions/" + name + ".js";
    std::vector<std::string> matches;
    for (const auto& [path, text] : from_.sources) {
      if (path == own) {
        matches = {path};
        break;
      }
      if (path.starts_with("functions/") && stem(path) == name) matches.push_back(path);
    }
    if (matches.size() != 1) return nullptr;
    written.insert(matches.front());
    return &from_.sources.at(matches.front());
  }

  void data_sources() {
    std::map<std::string, std::set<std::string>> collections;
    std::set<std::string> names;
    for (const auto& [path, content] : from_.json) {
      if (!path.starts_with("data_sources/")) continue;
      const auto [name, rest] = split_below(path, "data_sources/");
      names.insert(name);
      if (rest != "config.json" && rest != "default_rule.json") {
        collections[name].insert(std::string(parent(path)));
      }
    }
    for (const std::string& name : names) {
      data_source(name);
      for (const std::string& directory : collections[name]) collection(name, directory);
    }
  }

  void data_source(const std::string& name) {
    const std::string old_directory = "data_sources/" + name;
    const std::string directory = "services/" + name;
    Members file(from_.as_written(old_directory + "/config.json"));
    if (file.empty()) {
      file.set("name", Value::of(name));
      file.set("type", Value::of("mongodb-atlas"));
    }
    Members config(file["config"]);
    give_sync(config, file.text("name"));
    file.set("config", config.value());
    file.set_default("version", Value::of(std::int32_t{1}));
    to_.put(directory + "/config.json", file.value());
    const Value rule(from_.as_written(old_directory + "/default_rule.json"));
    if (!rule.is_missing()) to_.put(directory + "/default_rule.json", rule);
  }

  void give_sync(Members& config, const std::string& service) const {
    Members sync(from_.as_written("sync/config.json"));
    if (sync.text("service_name") != service || service.empty()) return;
    const bool is_partition = sync.text("type") == "partition" ||
                              (sync.text("type").empty() && sync.contains("partition"));
    for (const std::string_view name : {"type", "service_name", "development_mode_enabled"}) {
      sync.remove(name);
    }
    config.set(is_partition ? "sync" : "flexible_sync", sync.value());
  }

  void collection(const std::string& service, const std::string& directory) {
    Members rule(from_.as_written(directory + "/rules.json"));
    rule.set_default("database", Value::of(file_name(parent(directory))));
    rule.set_default("collection", Value::of(file_name(directory)));
    const Value schema(from_.as_written(directory + "/schema.json"));
    const Value relationships(from_.as_written(directory + "/relationships.json"));
    if (!schema.is_missing()) rule.set("schema", schema);
    if (!is_empty(relationships)) rule.set("relationships", relationships);
    const std::string base = "services/" + service + "/rules/" +
                             path_component(rule.text("database") + "." + rule.text("collection"));
    std::string path = base + ".json";
    for (int number = 2; to_.json.contains(path); ++number) {
      path = base + "~" + std::to_string(number) + ".json";
    }
    to_.put(path, rule.value());
  }

  // Legacy HTTP services are services; there are no HTTPS endpoints.
  void endpoints(const std::string& directory) {
    for (const auto& [path, content] : from_.json) {
      if (!path.starts_with(directory)) continue;
      const std::string rest = path.substr(directory.size());
      if (rest == "config.json") {
        if (is_empty(content)) continue;
        findings_.warning(path, "", "BadRequest",
                          "cannot be part of config version " + std::to_string(version_) +
                              ", which has no HTTPS endpoints; it is left out");
      } else if (rest == "data_api_config.json") {
        to_.put(rest, Value(from_.as_written(path)));
      } else {
        to_.put("services/" + rest, Value(from_.as_written(path)));
      }
    }
    for (const auto& [path, text] : from_.sources) {
      if (path.starts_with(directory))
        to_.sources["services/" + path.substr(directory.size())] = text;
    }
  }

  const Tree& from_;
  int version_;
  Findings& findings_;
  Tree to_;
};

// The two modern layouts differ in the root file and the name of one directory.
Tree between_modern(const Tree& from, int version) {
  const bool is_newest = version == kVersion2023;
  const std::string_view own = is_newest ? "https_endpoints/" : "http_endpoints/";
  const std::string_view other = is_newest ? "http_endpoints/" : "https_endpoints/";
  const auto renamed = [&](const std::string& path) {
    if (!path.starts_with(other)) return path;
    std::string name = std::string(own) + path.substr(other.size());
    return from.json.contains(name) ? path : name;
  };
  Tree to = copy_of(from, version, [&](const std::string& path) {
    return path.starts_with(other) || path.starts_with(".mdb/");
  });
  for (const auto& [path, content] : from.json) {
    if (path.starts_with(other)) to.put(renamed(path), Value(from.as_written(path)));
  }
  for (const auto& [path, text] : from.sources) {
    if (path.starts_with(other)) to.sources[renamed(path)] = text;
  }
  Members root(from.as_written(from.root_file));
  Members meta(from.as_written(".mdb/meta.json"));
  if (is_newest) {
    const Value app_id = root.take("app_id");
    const std::string location = root.text("location");
    root.remove("location");
    root.remove("config_version");
    for (const auto& [old_name, region] : kPlaces) {
      if (location == old_name) root.set_default("provider_region", Value::of(region));
    }
    meta.set("config_version", Value::of(static_cast<std::int32_t>(version)));
    if (!is_empty(app_id)) meta.set("client_app_id", app_id);
    to.put(".mdb/meta.json", meta.value());
  } else {
    root.set("config_version", Value::of(static_cast<std::int32_t>(version)));
    if (root.text("app_id").empty() && !meta.text("client_app_id").empty()) {
      root.set("app_id", Value(meta["client_app_id"]));
    }
    const std::string region = root.text("provider_region");
    for (const auto& [old_name, name] : kPlaces) {
      if (region == name) root.set_default("location", Value::of(old_name));
    }
  }
  to.put(to.root_file, root.value());
  return to;
}

}  // namespace

std::string_view root_file_of(int config_version) {
  switch (config_version) {
    case kVersion2018:
      return "stitch.json";
    case kVersion2020:
      return "config.json";
    case kVersion2021:
      return "realm_config.json";
    case kVersion2023:
      return "root_config.json";
    default:
      return "";
  }
}

Tree to_layout(const Tree& tree, int config_version, Findings& findings) {
  if (tree.config_version == config_version && tree.root_file == root_file_of(config_version)) {
    return tree;
  }
  const bool is_legacy = is_legacy_version(config_version);
  if (is_legacy && tree.is_legacy()) {
    Tree to = copy_of(tree, config_version, [](const std::string&) { return false; });
    Members root(tree.as_written(tree.root_file));
    root.set("config_version", Value::of(static_cast<std::int32_t>(config_version)));
    to.put(to.root_file, root.value());
    return to;
  }
  Tree modern = tree.is_legacy() ? ToModern(tree).convert() : tree;
  if (is_legacy) {
    if (modern.config_version == kVersion2023) modern = between_modern(modern, kVersion2021);
    return ToLegacy(modern, config_version, findings).convert();
  }
  return modern.config_version == config_version ? modern : between_modern(modern, config_version);
}

}  // namespace restitch::app
