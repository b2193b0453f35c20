#include "api/admin/sync_settings.h"

namespace restitch::api::admin {
namespace {

using deployment::kSyncConfig;

std::string type_of(const Members& settings) {
  const std::string type = settings.text("type");
  if (!type.empty()) return type;
  return settings.contains("partition") ? "partition" : "flexible";
}

}  // namespace

void add_sync_block(const StoredConfig& config, const std::string& service, Members& out) {
  const Members settings(config.settings(kSyncConfig));
  if (settings.text("service_name") != service) return;
  const bool is_flexible = type_of(settings) == "flexible";
  Members block = settings;
  block.remove("service_name");
  block.remove("type");
  // Callers convert these without looking whether they are there.
  block.set_default("state", bson::Value::of(""));
  block.set_default("database_name", bson::Value::of(""));
  if (is_flexible) {
    block.set_default("queryable_fields_names", bson::Value::array(bson::Document()));
  } else {
    block.set_default("partition", bson::Value::of(bson::Document()));
  }
  out.set(is_flexible ? "flexible_sync" : "sync", block.value());
}

Status merge_sync_block(StoredConfig& config, const std::string& service, std::string_view type,
                        bson::View block) {
  Members settings(config.settings(kSyncConfig));
  const std::string former = settings.text("service_name");
  const std::string state = settings.text("state");
  const bool is_on = state == "enabled" || state == "disabled";
  if (!former.empty() && former != service && is_on) {
    return Error(ErrorCode::kInvalidArgument,
                 "the data source '" + former + "' is synced already: terminate its sync first");
  }
  if (!former.empty() && type_of(settings) != type) {
    if (is_on) {
      return Error(ErrorCode::kInvalidArgument,
                   "sync must be terminated before its type can change");
    }
    Members fresh;
    if (settings.contains("development_mode_enabled")) {
      fresh.set("development_mode_enabled", bson::Value(settings["development_mode_enabled"]));
    }
    settings = fresh;
  }
  Members sent(bson::Value::object(block).view());
  sent.remove("clusterName");  // some callers put it back here
  const Members sent_partition(sent["partition"]);
  const bson::Value permissions(sent_partition["permissions"]);
  Members next(bson::Value::of(deep_merged(settings.document(), sent.document())).view());
  if (const auto given = permissions.view().as_object()) {
    Members partition(next["partition"]);
    const Members former_partition(settings["partition"]);
    partition.set("permissions",
                  bson::Value::of(merged(
                      former_partition["permissions"].as_object().value_or(bson::View()), *given)));
    next.set("partition", partition.value());
  }
  next.set("type", bson::Value::of(type));
  next.set_default("state", bson::Value::of(""));
  next.set("service_name", bson::Value::of(service));
  config.set_settings(kSyncConfig, next.value());
  return {};
}

}  // namespace restitch::api::admin
