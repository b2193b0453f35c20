#include "api/admin/entities.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kTriggers{"trigger", "EventSubscriptionNotFound",
                           "EventSubscriptionAlreadyExists"};

// The function of a trigger, which its body names in one of two places.
std::string function_of(const Members& body) {
  const std::string name = body.text("function_name");
  if (!name.empty()) return name;
  const Members processors(body["event_processors"]);
  const Members function(processors["FUNCTION"]);
  return Members(function["config"]).text("function_name");
}

bson::Value processors_of(const StoredConfig& config, const Members& body,
                          const std::string& function) {
  Members processors(body["event_processors"]);
  if (function.empty()) return processors.value();
  Members settings;
  settings.set("function_name", bson::Value::of(function));
  add_function_id(config, settings);
  Members processor;
  processor.set("config", settings.value());
  processors.set("FUNCTION", processor.value());
  return processors.value();
}

Members view(const StoredConfig& config, const Entity& trigger, bool) {
  const Members body(trigger.body);
  const std::string function = function_of(body);
  Members out;
  out.set("_id", bson::Value::of(trigger.id.to_hex()));
  out.set("name", bson::Value::of(trigger.name));
  out.set("type", bson::Value::of(body.text("type")));
  if (!function.empty()) out.set("function_name", bson::Value::of(function));
  add_function_id(config, out);
  out.set("disabled", bson::Value::of(body["disabled"].as_bool().value_or(false)));
  Members settings(body["config"]);
  add_service_id(config, settings);
  out.set("config", settings.value());
  out.set("event_processors", processors_of(config, body, function));
  out.set("last_modified", bson::Value::of(trigger.modified));
  return out;
}

Task<AdminReply> list(AdminApi&, AdminRequest& request) {
  const std::string type = request.query_value("type").value_or("");
  if (type.empty()) co_return entity_list(request, EntityKind::kTrigger, &view);
  const auto config = request.config();
  std::vector<bson::Document> shown;
  for (const Entity& entity : config->entities) {
    if (entity.kind != EntityKind::kTrigger) continue;
    if (Members(entity.body).text("type") != type) continue;
    shown.push_back(view(*config, entity, true).document());
  }
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> create(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_CHECK(required_text(body, "name"));
  co_return co_await create_entity(api, request, EntityKind::kTrigger, body, &view);
}

// A function named anew takes the place of the former one, wherever that stood.
Task<AdminReply> replace(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(Entity * trigger, config.require(EntityKind::kTrigger, request.parameters.at(0)));
    Members former(trigger->body);
    const bool names_function = body.view().contains("function_id") ||
                                body.view().contains("function_name") ||
                                body.view().contains("event_processors");
    for (const char* name : {"function_name", "function_id", "event_processors"}) {
      if (names_function) former.remove(name);
    }
    Members next(bson::Value::of(merged(former.document(), body)).view());
    // Both forms in one body, as a reply has them: the processors decide.
    if (body.view().contains("event_processors")) {
      next.remove("function_name");
      next.remove("function_id");
    }
    const bson::Document document = next.document();
    return config.replace(*trigger, document);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

Task<AdminReply> remove(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(
      co_await remove_entity(api, request, EntityKind::kTrigger, request.parameters.at(0)));
  co_return AdminReply::of(bson::Document());
}

// The stored name, or what the path says: the service knows triggers by what their app calls them.
Result<std::string> name_of_trigger(const AdminRequest& request) {
  const auto config = request.app->deployed();
  const auto trigger = config->require(EntityKind::kTrigger, request.parameters.at(0));
  return trigger ? (*trigger)->name : request.parameters.at(0);
}

Task<AdminReply> resume(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const std::string name, name_of_trigger(request));
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const bool begins_now = body["disable_token"].as_bool().value_or(false);
  RESTITCH_CO_CHECK(co_await api.triggers().resume(request.app->identity().id, name, begins_now));
  co_return AdminReply::empty();
}

Task<AdminReply> execution(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const std::string name, name_of_trigger(request));
  RESTITCH_CO_TRY(const triggers::TriggerStatus status,
                  co_await api.triggers().status(request.app->identity().id, name));
  bson::Builder out;
  out.append("data", triggers::name_of(status.state))
      .append("resource_id", request.parameters.at(0));
  out.append("completed_at", status.completed_at ? status.completed_at->millis / 1000 : 0);
  out.append("cluster_time",
             status.cluster_time ? static_cast<std::int64_t>(status.cluster_time->seconds) : 0);
  if (!status.reason.empty()) out.append("reason", status.reason);
  co_return AdminReply::of(std::move(out).finish());
}

}  // namespace

std::vector<Route> trigger_routes() {
  std::vector<Route> routes;
  for (const std::string root : {"/triggers", "/event_subscriptions"}) {
    routes.push_back(app_route("GET", root, kTriggers, &list));
    routes.push_back(app_route("POST", root, kTriggers, &create));
    routes.push_back(
        app_route("GET", root + "/{id}", kTriggers, &fetch_of<EntityKind::kTrigger, &view>));
    routes.push_back(app_route("PUT", root + "/{id}", kTriggers, &replace));
    routes.push_back(app_route("DELETE", root + "/{id}", kTriggers, &remove));
    routes.push_back(app_route("PUT", root + "/{id}/resume", kTriggers, &resume));
    routes.push_back(app_route("GET", root + "/{id}/execution", kTriggers, &execution));
  }
  return routes;
}

}  // namespace restitch::api::admin
