#include "api/admin/entities.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kSettings{};
constexpr Family kForwarders{"log forwarder", "LogForwarderNotFound", "LogForwarderAlreadyExists"};

Members settings_of(const AdminRequest& request, std::string_view name) {
  return Members(request.config()->settings(name));
}

// Merges the body into settings.
Task<void> merge_settings(AdminApi& api, AdminRequest& request, std::string_view name) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    const bson::View former = config.settings(name).as_object().value_or(bson::View());
    config.set_settings(name, bson::Value::of(merged(former, body)));
    return {};
  };
  co_return co_await api.edit(request, change);
}

Task<AdminReply> fetch_custom_user_data(AdminApi&, AdminRequest& request) {
  const auto config = request.config();
  Members out(config->settings(deployment::kCustomUserData));
  out.set_default("enabled", bson::Value::of(false));
  const Entity* service = config->find_named(EntityKind::kService, out.text("mongo_service_name"));
  if (service != nullptr) out.set("mongo_service_id", bson::Value::of(service->id.to_hex()));
  const Entity* function =
      config->find_named(EntityKind::kFunction, out.text("on_user_creation_function_name"));
  if (function != nullptr) {
    out.set("on_user_creation_function_id", bson::Value::of(function->id.to_hex()));
  }
  co_return AdminReply::of(out.document());
}

// An id that is sent wins over the name that is stored.
Task<AdminReply> patch_custom_user_data(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    Members former(config.settings(deployment::kCustomUserData));
    if (body.view().contains("mongo_service_id")) former.remove("mongo_service_name");
    if (body.view().contains("on_user_creation_function_id")) {
      former.remove("on_user_creation_function_name");
    }
    config.set_settings(deployment::kCustomUserData,
                        bson::Value::of(merged(former.document(), body)));
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

Task<AdminReply> fetch_graphql(AdminApi&, AdminRequest& request) {
  Members out = settings_of(request, deployment::kGraphqlConfig);
  out.set_default("use_natural_pluralization", bson::Value::of(true));
  out.set_default("disable_schema_introspection", bson::Value::of(false));
  co_return AdminReply::of(out.document());
}

Task<AdminReply> put_graphql(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const Members former = settings_of(request, deployment::kGraphqlConfig);
  const bool was_natural = former["use_natural_pluralization"].as_bool().value_or(false);
  if (was_natural && body["use_natural_pluralization"].as_bool() == false) {
    co_return Error(ErrorCode::kBadRequest, "cannot set use_natural_pluralization to false");
  }
  RESTITCH_CO_CHECK(co_await merge_settings(api, request, deployment::kGraphqlConfig));
  co_return AdminReply::empty();
}

Task<AdminReply> fetch_validation(AdminApi&, AdminRequest& request) {
  Members out = settings_of(request, deployment::kGraphqlValidation);
  for (const char* side : {"read", "write"}) {
    out.set_default(std::string(side) + "_validation_action", bson::Value::of("ERROR"));
    out.set_default(std::string(side) + "_validation_level", bson::Value::of("STRICT"));
  }
  co_return AdminReply::of(out.document());
}

Task<AdminReply> put_validation(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await merge_settings(api, request, deployment::kGraphqlValidation));
  co_return AdminReply::empty();
}

Task<AdminReply> fetch_null_types(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Value stored,
                  co_await api.apps().store().extra(request.app->identity().id, "null_types"));
  const bool is_enabled = stored.view().as_bool().value_or(false);
  co_return AdminReply::of(bson::make_document("enabled", is_enabled));
}

Task<AdminReply> put_null_types(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const bool is_enabled = body["enabled"].as_bool().value_or(false);
  RESTITCH_CO_CHECK(co_await api.apps().store().set_extra(request.app->identity().id, "null_types",
                                                          bson::Value::of(is_enabled)));
  RESTITCH_CO_CHECK(co_await api.apps().rebuild(request.app));
  co_return AdminReply::empty();
}

Members view_forwarder(const StoredConfig&, const Entity& forwarder, bool) {
  Members out;
  out.set("_id", bson::Value::of(forwarder.id.to_hex()));
  for (const auto& [name, value] : Members(forwarder.body).list()) out.set(name, value);
  out.set_default("disabled", bson::Value::of(false));
  return out;
}

Task<AdminReply> create_forwarder(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_CHECK(required_text(body, "name"));
  co_return co_await create_entity(api, request, EntityKind::kLogForwarder, body, &view_forwarder);
}

Task<AdminReply> patch_forwarder(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_CHECK(co_await replace_entity(api, request, EntityKind::kLogForwarder,
                                            request.parameters.at(0), body, true));
  co_return entity_reply(request, EntityKind::kLogForwarder, request.parameters.at(0),
                         &view_forwarder);
}

// One that was suspended, and so has not changed, goes on.
void resume_forwarder(AdminApi& api, const AdminRequest& request) {
  const auto config = request.config();
  const auto forwarder = config->require(EntityKind::kLogForwarder, request.parameters.at(0));
  if (forwarder) api.logs().forwarding().resume(request.app->identity().id, (*forwarder)->name);
}

Task<AdminReply> set_forwarder(AdminApi& api, AdminRequest& request, bool disabled) {
  const bson::Document body = bson::make_document("disabled", disabled);
  RESTITCH_CO_CHECK(co_await replace_entity(api, request, EntityKind::kLogForwarder,
                                            request.parameters.at(0), body, true));
  if (!disabled) resume_forwarder(api, request);
  co_return AdminReply::empty();
}

Task<AdminReply> enable_forwarder(AdminApi& api, AdminRequest& request) {
  return set_forwarder(api, request, false);
}
Task<AdminReply> disable_forwarder(AdminApi& api, AdminRequest& request) {
  return set_forwarder(api, request, true);
}

}  // namespace

std::vector<Route> settings_routes() {
  return {
      app_route("GET", "/custom_user_data", kSettings, &fetch_custom_user_data),
      app_route("PATCH", "/custom_user_data", kSettings, &patch_custom_user_data),
      app_route("GET", "/graphql/config", kSettings, &fetch_graphql),
      app_route("PUT", "/graphql/config", kSettings, &put_graphql),
      app_route("GET", "/validation_settings/graphql", kSettings, &fetch_validation),
      app_route("PUT", "/validation_settings/graphql", kSettings, &put_validation),
      app_route("GET", "/validation_settings/null_type_schema_validation", kSettings,
                &fetch_null_types),
      app_route("PUT", "/validation_settings/null_type_schema_validation", kSettings,
                &put_null_types),
      app_route("GET", "/log_forwarders", kForwarders,
                &list_of<EntityKind::kLogForwarder, &view_forwarder>),
      app_route("POST", "/log_forwarders", kForwarders, &create_forwarder),
      app_route("GET", "/log_forwarders/{id}", kForwarders,
                &fetch_of<EntityKind::kLogForwarder, &view_forwarder>),
      app_route("PATCH", "/log_forwarders/{id}", kForwarders, &patch_forwarder),
      app_route("DELETE", "/log_forwarders/{id}", kForwarders,
                &remove_of<EntityKind::kLogForwarder>),
      app_route("PUT", "/log_forwarders/{id}/enable", kForwarders, &enable_forwarder),
      app_route("PUT", "/log_forwarders/{id}/disable", kForwarders, &disable_forwarder),
  };
}

}  // namespace restitch::api::admin
