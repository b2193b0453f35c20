#include "api/admin/entities.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kProviders{"authentication provider", "AuthProviderNotFound",
                            "AuthProviderAlreadyExists"};

void add_id(const StoredConfig& config, Members& members, std::string_view name_member,
            std::string_view id_member) {
  const Entity* function = config.find_named(EntityKind::kFunction, members.text(name_member));
  if (function != nullptr) members.set(id_member, bson::Value::of(function->id.to_hex()));
}

Members view(const StoredConfig& config, const Entity& provider, bool full) {
  const Members body(provider.body);
  Members out;
  out.set("_id", bson::Value::of(provider.id.to_hex()));
  out.set("name", bson::Value::of(body.text("name")));
  out.set("type", bson::Value::of(provider.name));
  out.set("disabled", bson::Value::of(body["disabled"].as_bool().value_or(false)));
  if (!full) return out;
  for (const auto& [name, value] : body.list()) {
    if (name != "disabled") out.set(name, value);
  }
  out.change("config", [&](bson::ValueView value) {
    Members settings(value);
    add_id(config, settings, "authFunctionName", "authFunctionId");
    add_id(config, settings, "confirmationFunctionName", "confirmationFunctionId");
    add_id(config, settings, "resetFunctionName", "resetFunctionId");
    return settings.value();
  });
  return out;
}

// A list that holds nothing but empty objects, as some callers send one, says nothing.
bson::Document normal(bson::View sent) {
  Members body(bson::Value::object(sent).view());
  body.change("metadata_fields", [](bson::ValueView list) {
    std::vector<bson::Value> fields;
    for (const bson::Value& field : app::elements_of(list)) {
      if (!app::is_empty(field)) fields.push_back(field);
    }
    return app::array_of(fields);
  });
  if (!body.text("type").empty()) body.set_default("name", bson::Value::of(body.text("type")));
  return body.document();
}

Task<AdminReply> create(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document sent, object_body(request.http));
  RESTITCH_CO_CHECK(required_text(sent, "type"));
  Members body(bson::Value::of(normal(sent)).view());
  body.set_default("disabled", bson::Value::of(false));
  co_return co_await create_entity(api, request, EntityKind::kAuthProvider, body.document(), &view);
}

Task<void> change_provider(AdminApi& api, AdminRequest& request, bson::Document sent) {
  const bson::Document patch = normal(sent);
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(Entity * provider,
                 config.require(EntityKind::kAuthProvider, request.parameters.at(0)));
    const std::string type = text_or_empty(patch, "type");
    if (!type.empty() && type != provider->name) {
      return Error(ErrorCode::kInvalidArgument, "the type of a provider cannot be changed");
    }
    const Members former(provider->body);
    Members next(bson::Value::of(merged(former.document(), patch)).view());
    if (const auto settings = patch["config"].as_object()) {
      const bson::View before = former["config"].as_object().value_or(bson::View());
      next.set("config", bson::Value::of(merged(before, *settings)));
    }
    const bson::Document document = next.document();
    return config.replace(*provider, document);
  };
  co_return co_await api.edit(request, change);
}

Task<AdminReply> patch(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(bson::Document sent, object_body(request.http));
  RESTITCH_CO_CHECK(co_await change_provider(api, request, std::move(sent)));
  co_return AdminReply::empty();
}

Task<AdminReply> enable(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await change_provider(api, request, bson::make_document("disabled", false)));
  co_return AdminReply::empty();
}

Task<AdminReply> disable(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await change_provider(api, request, bson::make_document("disabled", true)));
  co_return AdminReply::empty();
}

}  // namespace

std::vector<Route> auth_provider_routes() {
  return {
      app_route("GET", "/auth_providers", kProviders, &list_of<EntityKind::kAuthProvider, &view>),
      app_route("POST", "/auth_providers", kProviders, &create),
      app_route("GET", "/auth_providers/{id}", kProviders,
                &fetch_of<EntityKind::kAuthProvider, &view>),
      app_route("PATCH", "/auth_providers/{id}", kProviders, &patch),
      app_route("DELETE", "/auth_providers/{id}", kProviders,
                &remove_of<EntityKind::kAuthProvider>),
      app_route("PUT", "/auth_providers/{id}/enable", kProviders, &enable),
      app_route("PUT", "/auth_providers/{id}/disable", kProviders, &disable),
  };
}

}  // namespace restitch::api::admin
