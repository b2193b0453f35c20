#include <algorithm>
#include <array>

#include "api/admin/entities.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kSync{};

// What needs Device Sync itself, which this server does not run.
Error not_offered() {
  return Error(ErrorCode::kBadRequest, "Device Sync is not available on this server");
}

Task<AdminReply> fetch_config(AdminApi&, AdminRequest& request) {
  const Members settings(request.config()->settings(deployment::kSyncConfig));
  bson::Builder out;
  out.append("development_mode_enabled",
             settings["development_mode_enabled"].as_bool().value_or(false));
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> put_config(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const bool is_on = body["development_mode_enabled"].as_bool().value_or(false);
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    Members settings(config.settings(deployment::kSyncConfig));
    settings.set("development_mode_enabled", bson::Value::of(is_on));
    config.set_settings(deployment::kSyncConfig, settings.value());
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

Task<AdminReply> fetch_state(AdminApi&, AdminRequest& request) {
  const Members settings(request.config()->settings(deployment::kSyncConfig));
  const std::string type = settings.text("type").empty() && settings.contains("partition")
                               ? "partition"
                               : settings.text("type");
  const std::string wanted = request.query_value("sync_type").value_or(type);
  const std::string state = wanted == type ? settings.text("state") : std::string();
  co_return AdminReply::of(bson::make_document("state", state));
}

Task<AdminReply> fetch_progress(AdminApi&, AdminRequest&) {
  bson::Builder out;
  out.open_object("progress").close().append("accepting_clients", false);
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> fetch_migration(AdminApi&, AdminRequest&) {
  bson::Builder out;
  out.append("statusMessage", "").append("isMigrated", false);
  out.append("isCancelable", false).append("isRevertible", false);
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> fetch_data(AdminApi&, AdminRequest& request) {
  const std::string service = request.query_value("service_id").value_or("");
  const auto config = request.config();
  const Members settings(config->settings(deployment::kSyncConfig));
  const Members partition(settings["partition"]);
  bson::Builder out;
  out.append("service_id", service).open_array("partition_fields");
  if (!partition.text("key").empty()) {
    out.push_object().append("key", partition.text("key"));
    out.append("type", partition.text("type")).close();
  }
  out.close();
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> versions(AdminApi&, AdminRequest&) {
  co_return AdminReply{200, "{\"versions\":[]}"};
}

// Data models are made of the schemas that are synced.
Task<AdminReply> client_schemas(AdminApi&, AdminRequest& request) {
  constexpr std::array<std::string_view, 7> kLanguages = {
      "C_SHARP", "JAVA", "JAVA_SCRIPT", "KOTLIN", "OBJECTIVE_C", "SWIFT", "TYPE_SCRIPT"};
  const std::string& language = request.parameters.at(0);
  if (std::find(kLanguages.begin(), kLanguages.end(), language) == kLanguages.end()) {
    co_return Error(ErrorCode::kInvalidArgument, "unknown language: '" + language + "'");
  }
  const auto config = request.config();
  const bool has_schemas =
      std::any_of(config->entities.begin(), config->entities.end(),
                  [](const Entity& entity) { return entity.kind == EntityKind::kSchema; });
  if (has_schemas) co_return not_offered();
  co_return AdminReply::of_list({});
}

Task<AdminReply> refuse(AdminApi&, AdminRequest&) { co_return not_offered(); }

}  // namespace

std::vector<Route> sync_routes() {
  return {
      app_route("GET", "/sync/config", kSync, &fetch_config),
      app_route("PUT", "/sync/config", kSync, &put_config),
      app_route("GET", "/sync/state", kSync, &fetch_state),
      app_route("GET", "/sync/progress", kSync, &fetch_progress),
      app_route("GET", "/sync/migration", kSync, &fetch_migration),
      app_route("PUT", "/sync/migration", kSync, &refuse),
      app_route("GET", "/sync/data", kSync, &fetch_data),
      app_route("PUT", "/sync/force_reset", kSync, &refuse),
      app_route("PUT", "/sync", kSync, &refuse),
      app_route("POST", "/sync/terminate", kSync, &refuse),
      app_route("GET", "/sync/schemas/versions", kSync, &versions),
      app_route("GET", "/sync/client_schemas/{language}", kSync, &client_schemas),
  };
}

}  // namespace restitch::api::admin
