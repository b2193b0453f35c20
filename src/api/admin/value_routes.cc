#include "api/admin/entities.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kValues{"value", "ValueNotFound", "ValueAlreadyExists"};
constexpr Family kEnvironmentValues{"environment value", "EnvironmentValueNotFound",
                                    "EnvironmentValueAlreadyExists"};

Members view_value(const StoredConfig&, const Entity& value, bool full) {
  const Members body(value.body);
  Members out;
  out.set("_id", bson::Value::of(value.id.to_hex()));
  out.set("name", bson::Value::of(value.name));
  out.set("private", bson::Value::of(body["private"].as_bool().value_or(false)));
  out.set("from_secret", bson::Value::of(body["from_secret"].as_bool().value_or(false)));
  if (full) out.set("value", bson::Value(body["value"]));
  return out;
}

Members view_environment_value(const StoredConfig&, const Entity& value, bool) {
  const Members body(value.body);
  Members out;
  out.set("_id", bson::Value::of(value.id.to_hex()));
  out.set("name", bson::Value::of(value.name));
  out.set("values", bson::Value(body["values"]));
  out.set("last_modified", bson::Value::of(value.modified));
  return out;
}

Task<AdminReply> create_value(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_CHECK(required_text(body, "name"));
  co_return co_await create_entity(api, request, EntityKind::kValue, body, &view_value);
}

Task<AdminReply> replace_value(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_CHECK(co_await replace_entity(api, request, EntityKind::kValue,
                                            request.parameters.at(0), body, true));
  co_return AdminReply::empty();
}

// Every spelling of no environment becomes "none".
Result<bson::Document> normal(bson::View sent) {
  Members body(bson::Value::object(sent).view());
  const auto values = body["values"].as_object();
  if (body.contains("values") && !values) {
    return Error(ErrorCode::kInvalidArgument, "'values' must be an object");
  }
  Members named;
  for (const bson::Element& value : values.value_or(bson::View())) {
    const bool is_none = value.name.empty() || value.name == "no-environment";
    const std::string_view tag = is_none ? std::string_view("none") : value.name;
    const bool is_known = tag == "none" || tag == "development" || tag == "testing" ||
                          tag == "qa" || tag == "production";
    if (!is_known) {
      return Error(ErrorCode::kInvalidArgument, "unknown environment: '" + std::string(tag) + "'");
    }
    named.set(tag, bson::Value(value.value));
  }
  if (values) body.set("values", named.value());
  return body.document();
}

Task<AdminReply> create_environment_value(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document sent, object_body(request.http));
  RESTITCH_CO_CHECK(required_text(sent, "name"));
  RESTITCH_CO_TRY(const bson::Document body, normal(sent));
  co_return co_await create_entity(api, request, EntityKind::kEnvironmentValue, body,
                                   &view_environment_value);
}

Task<AdminReply> replace_environment_value(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document sent, object_body(request.http));
  RESTITCH_CO_TRY(const bson::Document body, normal(sent));
  RESTITCH_CO_CHECK(co_await replace_entity(api, request, EntityKind::kEnvironmentValue,
                                            request.parameters.at(0), body, true));
  co_return entity_reply(request, EntityKind::kEnvironmentValue, request.parameters.at(0),
                         &view_environment_value);
}

}  // namespace

std::vector<Route> value_routes() {
  return {
      app_route("GET", "/values", kValues, &list_of<EntityKind::kValue, &view_value>),
      app_route("POST", "/values", kValues, &create_value),
      app_route("GET", "/values/{id}", kValues, &fetch_of<EntityKind::kValue, &view_value>),
      app_route("PUT", "/values/{id}", kValues, &replace_value),
      app_route("DELETE", "/values/{id}", kValues, &remove_of<EntityKind::kValue>),
      app_route("GET", "/environment_values", kEnvironmentValues,
                &list_of<EntityKind::kEnvironmentValue, &view_environment_value>),
      app_route("POST", "/environment_values", kEnvironmentValues, &create_environment_value),
      app_route("GET", "/environment_values/{id}", kEnvironmentValues,
                &fetch_of<EntityKind::kEnvironmentValue, &view_environment_value>),
      app_route("PUT", "/environment_values/{id}", kEnvironmentValues, &replace_environment_value),
      app_route("DELETE", "/environment_values/{id}", kEnvironmentValues,
                &remove_of<EntityKind::kEnvironmentValue>),
  };
}

}  // namespace restitch::api::admin
