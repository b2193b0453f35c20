#include <array>
#include <utility>

#include "app/assembly.h"

namespace restitch::app {
namespace {

constexpr std::array<std::string_view, 6> kInputFormats = {
    "scalar", "scalar-list", "generated", "generated-list", "custom", ""};
constexpr std::array<std::string_view, 3> kActions = {"ERROR", "WARN", ""};
constexpr std::array<std::string_view, 3> kLevels = {"STRICT", "OFF", ""};
constexpr std::array<std::string_view, 3> kSyncStates = {"enabled", "disabled", ""};
constexpr std::array<std::string_view, 3> kSyncTypes = {"flexible", "partition", ""};
constexpr std::array<std::string_view, 4> kPartitionTypes = {"string", "long", "objectId", "uuid"};
constexpr std::array<std::string_view, 10> kLogTypes = {
    "auth",   "endpoint", "function", "graphql", "push",
    "schema", "service",  "sync",     "trigger", "trigger_error_handler"};
constexpr std::array<std::string_view, 2> kLogStatuses = {"error", "success"};
constexpr std::array<std::string_view, 2> kPolicies = {"single", "batch"};
constexpr std::array<std::string_view, 2> kLogActions = {"collection", "function"};
constexpr std::size_t kMaxQueryableFields = 10;

void keep(Assembly& assembly, const Node& file) {
  assembly.config.others.push_back({std::string(file.file()), bson::Value(file.value())});
}

// Keeps a member of the root file of the legacy layouts as the file that later layouts have for it.
void keep_root_member(Assembly& assembly, std::string_view member, const std::string& path) {
  const Node node = assembly.file(assembly.tree.root_file)[member];
  if (!node.exists() || !node.is_object() || node.value().get_document().empty()) return;
  assembly.config.others.push_back({path, bson::Value(node.value())});
}

void check_resolver(Assembly& assembly, const Node& file) {
  const std::string type = file["on_type"].required_text();
  const std::string field = file["field_name"].required_text();
  if (!type.empty() && !field.empty()) {
    assembly.claim_name(file["field_name"], "Custom Resolvers", type + "." + field,
                        "InvalidParameter");
  }
  const std::string function = assembly.function_name(file, "function_name", "function_id");
  if (function.empty() && file["function_id"].text().empty()) {
    file["function_name"].error("is required", "MissingParameter");
  }
  assembly.check_function(file["function_name"], function);
  file["input_type_format"].choice(kInputFormats, "");
  file["payload_type_format"].choice(kInputFormats, "");
}

void check_sync_source(const Assembly& assembly, const Node& file) {
  const std::string name = file["service_name"].text();
  const auto known = assembly.service_types.find(name);
  if (known == assembly.service_types.end()) {
    file["service_name"].warning("data source not found: '" + name + "'", "ServiceNotFound");
  } else if (known->second == "datalake") {
    file["service_name"].error("a federated data source cannot be synced");
  }
}

void check_queryable_fields(const Node& file) {
  const std::vector<std::string> fields = file["queryable_fields_names"].texts();
  const std::vector<std::string> indexed = file["indexed_queryable_fields_names"].texts();
  if (indexed.size() > 1) {
    file["indexed_queryable_fields_names"].error("at most one indexed queryable field is allowed");
  }
  for (const std::string& name : indexed) {
    if (std::find(fields.begin(), fields.end(), name) != fields.end()) continue;
    file["indexed_queryable_fields_names"].error("'" + name + "' is not in queryable_fields_names");
  }
  bool has_collections = false;
  file["collection_queryable_fields_names"].each_member([&](std::string_view, const Node& names) {
    has_collections = true;
    if (names.texts().size() + fields.size() > kMaxQueryableFields) {
      names.error("more than 10 queryable fields apply to the collection");
    }
  });
  if (!has_collections && fields.size() > kMaxQueryableFields) {
    file["queryable_fields_names"].error("more than 10 queryable fields");
  }
}

void check_sync(const Assembly& assembly, const Node& file) {
  if (!file.is_object()) return;
  file["development_mode_enabled"].flag();
  const std::string type = file["type"].choice(kSyncTypes, "");
  if (file["state"].choice(kSyncStates, "") != "enabled") return;
  check_sync_source(assembly, file);
  const Node partition = file["partition"];
  if (type == "partition" || (type.empty() && partition.exists())) {
    partition["key"].required_text();
    partition["type"].required_text();
    partition["type"].choice(kPartitionTypes, "");
    partition["required"].flag();
    partition["permissions"]["read"].expression();
    partition["permissions"]["write"].expression();
  } else {
    check_queryable_fields(file);
  }
}

void check_log_forwarder(Assembly& assembly, const Node& file) {
  const std::string name = file["name"].required_text();
  check_name(file["name"], name);
  assembly.claim_name(file["name"], "Log Forwarders", name, "InvalidParameter");
  const bool is_disabled = file["disabled"].flag();
  file["log_types"].each_element([](const Node& type) { type.choice(kLogTypes, ""); });
  file["log_statuses"].each_element([](const Node& status) { status.choice(kLogStatuses, ""); });
  file["policy"]["type"].choice(kPolicies, "");
  const Node action = file["action"];
  const std::string type = action["type"].choice(kLogActions, "");
  if (type == "function") {
    assembly.check_function(action["name"], action["name"].required_text(), is_disabled);
  } else if (type == "collection") {
    const std::string source = action["data_source"].text();
    if (assembly.service_types.contains(source)) return;
    action["data_source"].warning("data source not found: '" + source + "'", "ServiceNotFound");
  }
}

}  // namespace

void read_graphql(Assembly& assembly) {
  const Node config = assembly.file("graphql/config.json");
  if (config.exists()) {
    config["use_natural_pluralization"].flag();
    config["disable_schema_introspection"].flag();
    keep(assembly, config);
  }
  const Node settings = assembly.file("graphql/validation_settings.json");
  if (settings.exists()) {
    for (const std::string_view key : {"read_validation_action", "write_validation_action"}) {
      settings[key].choice(kActions, "");
    }
    for (const std::string_view key : {"read_validation_level", "write_validation_level"}) {
      settings[key].choice(kLevels, "");
    }
    keep(assembly, settings);
  }
  assembly.each_file("graphql/custom_resolvers", [&](const Node& file) {
    if (!file.is_object()) return;
    check_resolver(assembly, file);
    keep(assembly, file);
  });
}

void read_hosting(Assembly& assembly) {
  const Node config = assembly.file("hosting/config.json");
  if (config.exists() && config.is_object()) {
    config["enabled"].flag();
    keep(assembly, config);
  } else {
    keep_root_member(assembly, "hosting", "hosting/config.json");
  }
  const Node metadata = assembly.file("hosting/metadata.json");
  if (!metadata.exists()) return;
  metadata.each_element([](const Node& entry) {
    if (!entry.exists() || !entry.is_object()) return;
    entry["path"].text();
    entry["attrs"].each_element([](const Node& attribute) {
      attribute["name"].text();
      attribute["value"].text();
    });
  });
  keep(assembly, metadata);
}

void read_sync(Assembly& assembly) {
  const Node file = assembly.file("sync/config.json");
  if (file.exists()) {
    check_sync(assembly, file);
    keep(assembly, file);
  } else {
    keep_root_member(assembly, "sync", "sync/config.json");
  }
}

void read_log_forwarders(Assembly& assembly) {
  assembly.each_file("log_forwarders", [&](const Node& file) {
    if (!file.is_object()) return;
    check_log_forwarder(assembly, file);
    keep(assembly, file);
  });
}

}  // namespace restitch::app
