#include <algorithm>
#include <array>

#include "app/assembly.h"
#include "app/cron.h"

namespace restitch::app {
namespace {

constexpr std::array<std::string_view, 3> kTypes = {"DATABASE", "AUTHENTICATION", "SCHEDULED"};
constexpr std::array<std::string_view, 4> kAuthOperations = {"LOGIN", "CREATE", "DELETE", "LOGOUT"};
constexpr std::array<std::string_view, 14> kDatabaseOperations = {"INSERT",
                                                                  "UPDATE",
                                                                  "REPLACE",
                                                                  "DELETE",
                                                                  "CREATE_COLLECTION",
                                                                  "MODIFY_COLLECTION",
                                                                  "RENAME_COLLECTION",
                                                                  "SHARD_COLLECTION",
                                                                  "DROP_COLLECTION",
                                                                  "RESHARD_COLLECTION",
                                                                  "REFINE_COLLECTION_SHARD_KEY",
                                                                  "CREATE_INDEXES",
                                                                  "DROP_INDEXES",
                                                                  "DROP_DATABASE"};
constexpr std::size_t kCollectionLevelOperations = 4;
constexpr std::size_t kDatabaseLevelOperations = 13;

class TriggerReader {
 public:
  TriggerReader(Assembly& assembly, const Node& file)
      : assembly_(assembly), file_(file), is_disabled_(file["disabled"].flag()) {}

  void read() {
    const std::string name = file_["name"].required_text();
    check_name(file_["name"], name);
    assembly_.claim_name(file_["name"], "Triggers", name, "InvalidParameter");
    file_["type"].required_text();
    const std::string type = file_["type"].choice(kTypes, "");
    const Node config = file_["config"];
    if (type == "DATABASE") {
      check_database(config);
    } else if (type == "AUTHENTICATION") {
      check_authentication(config);
    } else if (type == "SCHEDULED") {
      check_schedule(config);
    }
    check_processors();
    if (type.empty()) return;
    TriggerConfig trigger;
    trigger.name = name;
    trigger.type = type == "DATABASE"         ? TriggerType::kDatabase
                   : type == "AUTHENTICATION" ? TriggerType::kAuthentication
                                              : TriggerType::kScheduled;
    fill(trigger, config);
    assembly_.config.triggers.push_back(std::move(trigger));
  }

 private:
  void fill(TriggerConfig& trigger, const Node& config) const {
    trigger.disabled = is_disabled_;
    trigger.file = std::string(file_.file());
    const Node processors = file_["event_processors"];
    trigger.function =
        assembly_.function_name(processors["FUNCTION"]["config"], "function_name", "function_id");
    if (trigger.function.empty()) {
      trigger.function = assembly_.function_name(file_, "function_name", "function_id");
    }
    if (trigger.function.empty()) trigger.event_bus = event_bus(processors["AWS_EVENTBRIDGE"]);
    trigger.error_handler = error_handler(processors);
    trigger.skip_catchup_events =
        config["skip_catchup_events"].flag() || config["skip_catchup_event"].flag();
    trigger.schedule = config["schedule"].text();
    if (trigger.type == TriggerType::kAuthentication) {
      const Node operation = config["operation_type"];
      const bool is_list = operation.value().type() == bson::Type::kArray;
      trigger.operations = is_list ? operation.texts() : std::vector{operation.text()};
      trigger.providers = config["providers"].texts();
    }
    if (trigger.type == TriggerType::kDatabase) fill_database(trigger, config);
  }

  void fill_database(TriggerConfig& trigger, const Node& config) const {
    trigger.source = source_of(config);
    trigger.database = config["database"].text();
    trigger.collection = config["collection"].text();
    trigger.operation_types = config["operation_types"].texts();
    trigger.full_document = config["full_document"].flag();
    trigger.full_document_before_change = config["full_document_before_change"].flag();
    trigger.tolerate_resume_errors = config["tolerate_resume_errors"].flag();
    trigger.unordered = config["unordered"].flag();
    trigger.maximum_throughput = config["maximum_throughput"].flag();
    if (const auto match = config["match"].value().as_object()) {
      trigger.match = bson::Document(*match);
    }
    if (const auto project = config["project"].value().as_object()) {
      trigger.project = bson::Document(*project);
    }
  }

  static std::optional<EventBus> event_bus(const Node& processor) {
    const Node config = processor["config"];
    if (!config.exists()) return std::nullopt;
    return EventBus{config["account_id"].text(), config["region"].text(),
                    config["extended_json_enabled"].flag()};
  }

  // It stands beside the processors, beside the processor's config, or in it.
  std::string error_handler(const Node& processors) const {
    for (const Node& place :
         {file_, processors, processors["FUNCTION"], processors["FUNCTION"]["config"],
          processors["AWS_EVENTBRIDGE"], processors["AWS_EVENTBRIDGE"]["config"]}) {
      const Node config = place["error_handler"]["config"];
      if (!config["enabled"].flag()) continue;
      const std::string name = assembly_.function_name(config, "function_name", "function_id");
      if (!name.empty()) return name;
    }
    return {};
  }

  std::string source_of(const Node& config) const {
    const std::string name = config["service_name"].text();
    if (!name.empty()) return name;
    const auto known = assembly_.service_names_by_id.find(config["service_id"].text());
    return known == assembly_.service_names_by_id.end() ? std::string() : known->second;
  }

  void check_database(const Node& config) const {
    check_service(config);
    const bool has_database = !config["database"].text().empty();
    const bool has_collection = !config["collection"].text().empty();
    const std::size_t level = has_collection ? kCollectionLevelOperations
                              : has_database ? kDatabaseLevelOperations
                                             : kDatabaseOperations.size();
    const Node operations = config["operation_types"];
    if (operations.texts().empty() && !is_disabled_ &&
        (!operations.exists() || operations.value().type() == bson::Type::kArray)) {
      operations.error("at least one operation type is required", "MissingParameter");
    }
    operations.each_element([&](const Node& operation) {
      const std::span<const std::string_view> known(kDatabaseOperations);
      operation.choice(known.first(level), "");
    });
    for (const std::string_view key : {"match", "project"}) {
      if (config[key].exists() && !config[key].value().as_object()) {
        config[key].warning("is no object and counts as {}");
      }
    }
    for (const std::string_view key :
         {"full_document", "full_document_before_change", "tolerate_resume_errors", "unordered",
          "skip_catchup_events", "maximum_throughput"}) {
      config[key].flag();
    }
  }

  void check_service(const Node& config) const {
    const std::string name = source_of(config);
    const auto known = assembly_.service_types.find(name);
    if (known == assembly_.service_types.end()) {
      config["service_name"].warning(
          "data source not found: '" + name + "'; the trigger is kept, but suspended",
          "ServiceNotFound");
    } else if (known->second == "datalake") {
      config["service_name"].error("a federated data source has no change streams");
    }
  }

  void check_authentication(const Node& config) const {
    const Node operation = config["operation_type"];
    if (operation.value().type() == bson::Type::kArray) {
      operation.each_element([](const Node& one) { one.choice(kAuthOperations, ""); });
    } else {
      operation.required_text();
      operation.choice(kAuthOperations, "");
    }
    config["providers"].texts();
  }

  static void check_schedule(const Node& config) {
    const Node schedule = config["schedule"];
    const std::string text = schedule.required_text();
    if (text.empty()) return;
    const std::string problem = problem_of_schedule(text);
    if (!problem.empty()) schedule.error(problem);
  }

  void check_processors() const {
    const Node processors = file_["event_processors"];
    const Node function = processors["FUNCTION"]["config"];
    const Node event_bridge = processors["AWS_EVENTBRIDGE"]["config"];
    const std::string own = assembly_.function_name(file_, "function_name", "function_id");
    const std::string processor = assembly_.function_name(function, "function_name", "function_id");
    if (processors.exists()) processors.is_object();
    if (!own.empty() && !processor.empty() && own != processor) {
      file_["function_name"].error("differs from the function of event_processors");
    }
    if (event_bridge.exists() && event_bridge.is_object()) {
      event_bridge["account_id"].text();
      event_bridge["region"].text();
      event_bridge["extended_json_enabled"].flag();
      if (!own.empty() || !processor.empty()) {
        event_bridge.warning("is left out: the trigger has a function");
      }
      check_error_handler(event_bridge, processors["AWS_EVENTBRIDGE"]["error_handler"]);
    } else if (own.empty() && processor.empty() && !has_function_id(function)) {
      const std::string message = "names no function";
      is_disabled_ ? file_.warning(message) : file_.error(message, "MissingParameter");
    }
    assembly_.check_function(file_["function_name"], own, is_disabled_);
    assembly_.check_function(function["function_name"], processor, is_disabled_);
  }

  void check_error_handler(const Node& event_bridge, const Node& beside) const {
    const Node inside = beside.exists() ? beside : event_bridge["error_handler"];
    const Node handler = inside.exists() ? inside : file_["error_handler"];
    if (!handler.exists() || !handler.is_object()) return;
    const Node config = handler["config"];
    const std::string name = assembly_.function_name(config, "function_name", "function_id");
    assembly_.check_function(config["function_name"], name,
                             is_disabled_ || !config["enabled"].flag());
  }

  bool has_function_id(const Node& function) const {
    return !function["function_id"].text().empty() || !file_["function_id"].text().empty();
  }

  Assembly& assembly_;
  const Node& file_;
  bool is_disabled_;
};

}  // namespace

void read_triggers(Assembly& assembly) {
  assembly.each_file("triggers", [&](const Node& file) {
    if (!file.is_object()) return;
    TriggerReader(assembly, file).read();
    assembly.config.others.push_back({std::string(file.file()), bson::Value(file.value())});
  });
}

}  // namespace restitch::app
