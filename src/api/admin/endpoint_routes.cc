#include "api/admin/entities.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kEndpoints{"endpoint", "EndpointNotFound", "EndpointAlreadyExists"};
constexpr Family kDataApis{"Data API configuration", "", "DataAPIConfigAlreadyExists"};
constexpr Family kResolvers{"custom resolver", "CustomResolverNotFound",
                            "CustomResolverAlreadyExists"};

Members view_endpoint(const StoredConfig& config, const Entity& endpoint, bool) {
  Members out;
  out.set("_id", bson::Value::of(endpoint.id.to_hex()));
  for (const auto& [name, value] : Members(endpoint.body).list()) out.set(name, value);
  add_function_id(config, out);
  out.set_default("disabled", bson::Value::of(false));
  out.set("last_modified", bson::Value::of(endpoint.modified));
  return out;
}

// Empty references are none.
bson::Document normal(bson::View sent) {
  Members body(bson::Value::object(sent).view());
  for (const char* name : {"secret_id", "secret_name", "function_id", "function_name"}) {
    body.remove_if_empty(name);
  }
  return body.document();
}

Task<AdminReply> create_endpoint(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document sent, object_body(request.http));
  RESTITCH_CO_CHECK(required_text(sent, "route"));
  co_return co_await create_entity(api, request, EntityKind::kEndpoint, normal(sent),
                                   &view_endpoint);
}

Task<AdminReply> replace_endpoint(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document sent, object_body(request.http));
  const bson::Document body = normal(sent);
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(Entity * endpoint,
                 config.require(EntityKind::kEndpoint, request.parameters.at(0)));
    Members former(endpoint->body);
    if (body.view().contains("function_id")) former.remove("function_name");
    const bson::Document next = merged(former.document(), body);
    return config.replace(*endpoint, next);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return entity_reply(request, EntityKind::kEndpoint, request.parameters.at(0), &view_endpoint);
}

Task<AdminReply> remove_endpoint(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(
      co_await remove_entity(api, request, EntityKind::kEndpoint, request.parameters.at(0)));
  co_return AdminReply::of(bson::Document());
}

Task<AdminReply> fetch_data_api(AdminApi&, AdminRequest& request) {
  const auto config = request.config();
  const auto settings = config->settings(deployment::kDataApi).as_object();
  if (!settings) co_return Error(ErrorCode::kNotFound, "not found");
  co_return AdminReply::of(*settings);
}

Task<AdminReply> create_data_api(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const deployment::ConfigEdit add = [&](StoredConfig& config) -> Status {
    if (config.settings(deployment::kDataApi).as_object()) {
      return Error(ErrorCode::kDuplicateKey, "the Data API is configured already");
    }
    config.set_settings(deployment::kDataApi, bson::Value::of(normal(body)));
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, add));
  auto created = co_await fetch_data_api(api, request);
  if (created) created->status = 201;
  co_return created;
}

Task<AdminReply> patch_data_api(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    const auto former = config.settings(deployment::kDataApi).as_object();
    if (!former) return Error(ErrorCode::kNotFound, "not found");
    config.set_settings(deployment::kDataApi, bson::Value::of(merged(*former, body)));
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

Task<AdminReply> data_api_versions(AdminApi&, AdminRequest&) {
  co_return AdminReply{200, "[\"v1\"]"};
}

Members view_resolver(const StoredConfig& config, const Entity& resolver, bool) {
  Members out;
  out.set("_id", bson::Value::of(resolver.id.to_hex()));
  for (const auto& [name, value] : Members(resolver.body).list()) out.set(name, value);
  add_function_id(config, out);
  return out;
}

Task<AdminReply> create_resolver(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_CHECK(required_text(body, "field_name"));
  co_return co_await create_entity(api, request, EntityKind::kResolver, body, &view_resolver);
}

Task<AdminReply> replace_resolver(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_CHECK(co_await replace_entity(api, request, EntityKind::kResolver,
                                            request.parameters.at(0), body, true));
  co_return AdminReply::empty();
}

}  // namespace

std::vector<Route> endpoint_routes() {
  return {
      app_route("GET", "/endpoints", kEndpoints, &list_of<EntityKind::kEndpoint, &view_endpoint>),
      app_route("POST", "/endpoints", kEndpoints, &create_endpoint),
      app_route("GET", "/endpoints/{id}", kEndpoints,
                &fetch_of<EntityKind::kEndpoint, &view_endpoint>),
      app_route("PUT", "/endpoints/{id}", kEndpoints, &replace_endpoint),
      app_route("DELETE", "/endpoints/{id}", kEndpoints, &remove_endpoint),
      app_route("GET", "/data_api/config", kDataApis, &fetch_data_api),
      app_route("POST", "/data_api/config", kDataApis, &create_data_api),
      app_route("PATCH", "/data_api/config", kDataApis, &patch_data_api),
      app_route("GET", "/data_api/versions", kDataApis, &data_api_versions),
      app_route("GET", "/graphql/custom_resolvers", kResolvers,
                &list_of<EntityKind::kResolver, &view_resolver>),
      app_route("POST", "/graphql/custom_resolvers", kResolvers, &create_resolver),
      app_route("GET", "/graphql/custom_resolvers/{id}", kResolvers,
                &fetch_of<EntityKind::kResolver, &view_resolver>),
      app_route("PUT", "/graphql/custom_resolvers/{id}", kResolvers, &replace_resolver),
      app_route("DELETE", "/graphql/custom_resolvers/{id}", kResolvers,
                &remove_of<EntityKind::kResolver>),
  };
}

}  // namespace restitch::api::admin
