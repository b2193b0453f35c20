#include "api/admin/entities.h"
#include "api/admin/routes.h"
#include "api/admin/sync_settings.h"

namespace restitch::api::admin {
namespace {

constexpr Family kServices{"service", "ServiceNotFound", "ServiceAlreadyExists"};
constexpr Family kWebhooks{"incoming webhook", "IncomingWebhookNotFound",
                           "IncomingWebhookAlreadyExists"};
constexpr std::size_t kMaxLinksOfCall = 25;
constexpr std::size_t kMaxDataSources = 100;

bool is_data_source(std::string_view type) {
  return type == "mongodb" || type == "mongodb-atlas" || type == "datalake";
}

Members view(const StoredConfig&, const Entity& entity, bool) {
  const Members body(entity.body);
  Members out;
  out.set("_id", bson::Value::of(entity.id.to_hex()));
  out.set("name", bson::Value::of(entity.name));
  out.set("type", bson::Value::of(body.text("type")));
  out.set("version", bson::Value::of(std::int32_t{1}));
  out.set("last_modified", bson::Value::of(entity.modified));
  return out;
}

// Only one thing links an app to a URI: the URI itself never leaves the server.
bson::Document shown_config(const StoredConfig& config, const Entity& service) {
  const Members body(service.body);
  Members out(body["config"]);
  out.remove("uri");
  add_sync_block(config, service.name, out);
  return out.document();
}

// A body without the sync blocks of its config; these go to the app's sync settings.
struct SplitBody {
  bson::Document body;
  bson::Document flexible, partition;
  bool has_flexible = false, has_partition = false;
};

SplitBody split(bson::View given) {
  SplitBody out;
  Members body(bson::Value::object(given).view());
  body.change("config", [&](bson::ValueView value) -> bson::Value {
    Members config(value);
    if (const auto block = config["flexible_sync"].as_object()) {
      out.has_flexible = true;
      out.flexible = bson::Document(*block);
    }
    if (const auto block = config["sync"].as_object()) {
      out.has_partition = true;
      out.partition = bson::Document(*block);
    }
    config.remove("flexible_sync");
    config.remove("sync");
    return config.value();
  });
  out.body = body.document();
  return out;
}

Status apply_sync(StoredConfig& config, const std::string& service, const SplitBody& split) {
  if (split.has_flexible) {
    RESTITCH_CHECK(merge_sync_block(config, service, "flexible", split.flexible));
  }
  if (split.has_partition) {
    RESTITCH_CHECK(merge_sync_block(config, service, "partition", split.partition));
  }
  return {};
}

std::size_t count_data_sources(const StoredConfig& config) {
  std::size_t count = 0;
  for (const Entity& entity : config.entities) {
    if (entity.kind == EntityKind::kService && is_data_source(Members(entity.body).text("type"))) {
      ++count;
    }
  }
  return count;
}

Status add_service(StoredConfig& config, const SplitBody& service) {
  RESTITCH_TRY(const std::string name, required_text(service.body, "name"));
  RESTITCH_CHECK(required_text(service.body, "type"));
  RESTITCH_CHECK(config.add(EntityKind::kService, service.body));
  if (count_data_sources(config) > kMaxDataSources) {
    return Error(ErrorCode::kInvalidArgument, "an app can have at most 100 data sources");
  }
  return apply_sync(config, name, service);
}

Task<AdminReply> create(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const SplitBody service = split(body);
  const deployment::ConfigEdit add = [&](StoredConfig& config) {
    return add_service(config, service);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, add));
  const auto config = request.config();
  const Entity* created =
      config->find_named(EntityKind::kService, text_or_empty(service.body, "name"));
  if (created == nullptr) co_return Error(ErrorCode::kNotFound, "not found");
  co_return AdminReply::of(view(*config, *created, true).document(), 201);
}

Task<AdminReply> create_many(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Value body, json_body(request.http));
  if (!body.view().as_array()) {
    co_return Error(ErrorCode::kBadRequest, "the request body must be an array of data sources");
  }
  const std::vector<bson::Value> elements = app::elements_of(body.view());
  if (elements.size() > kMaxLinksOfCall) {
    co_return Error(ErrorCode::kInvalidArgument, "at most 25 data sources can be linked at once");
  }
  const deployment::ConfigEdit add = [&](StoredConfig& config) -> Status {
    for (const bson::Value& element : elements) {
      const auto object = element.view().as_object();
      if (!object) return Error(ErrorCode::kBadRequest, "a data source must be an object");
      RESTITCH_CHECK(add_service(config, split(*object)));
    }
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, add));
  co_return AdminReply::empty(201);
}

// The instance behind a data source stays what it was linked to.
Status check_link(const Entity& service, bson::View next) {
  const Members former(service.body);
  const Members former_config(former["config"]);
  const Members next_config(next.find("config"));
  const auto differs = [](const std::string& a, const std::string& b) {
    return !a.empty() && !b.empty() && a != b;
  };
  if (!is_data_source(former.text("type"))) return {};
  for (const std::string_view name : {"clusterName", "dataLakeName"}) {
    if (differs(former_config.text(name), next_config.text(name))) {
      return Error(ErrorCode::kInvalidArgument,
                   "the instance of a data source cannot be changed: link another data source");
    }
  }
  if (differs(former.text("type"), text_or_empty(next, "type"))) {
    return Error(ErrorCode::kInvalidArgument, "the type of a data source cannot be changed");
  }
  return {};
}

Status patch_service(StoredConfig& config, const std::string& id, const SplitBody& patch) {
  RESTITCH_TRY(Entity * service, config.require(EntityKind::kService, id));
  const bson::View former = service->body.view().as_object().value_or(bson::View());
  const bson::Document next = merged(former, patch.body);
  RESTITCH_CHECK(check_link(*service, next));
  RESTITCH_CHECK(config.replace(*service, next));
  return apply_sync(config, service->name, patch);
}

Task<AdminReply> patch(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const SplitBody parts = split(body);
  const deployment::ConfigEdit change = [&](StoredConfig& config) {
    return patch_service(config, request.parameters.at(0), parts);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

Task<AdminReply> fetch_config(AdminApi&, AdminRequest& request) {
  const auto config = request.config();
  RESTITCH_CO_TRY(const Entity* service,
                  config->require(EntityKind::kService, request.parameters.at(0)));
  co_return AdminReply::of(shown_config(*config, *service));
}

// Every member that a reply has may come back.
Task<AdminReply> patch_config(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  Members sent(bson::Value::object(body).view());
  for (const std::string_view name : {"clusterId", "clusterType", "groupName", "orgName"}) {
    sent.remove(name);
  }
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(const Entity* service,
                 config.require(EntityKind::kService, request.parameters.at(0)));
    const Members former(service->body);
    const SplitBody parts = split(bson::make_document("config", sent.document()));
    const bson::View former_config = former["config"].as_object().value_or(bson::View());
    const bson::View sent_config = parts.body["config"].as_object().value_or(bson::View());
    SplitBody next = parts;
    next.body = bson::make_document("config", merged(former_config, sent_config));
    return patch_service(config, service->id.to_hex(), next);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

Members view_webhook(const StoredConfig&, const Entity& entity, bool full) {
  Members out;
  out.set("_id", bson::Value::of(entity.id.to_hex()));
  out.set("name", bson::Value::of(entity.name));
  if (!full) return out;
  for (const auto& [name, value] : Members(entity.body).list()) out.set(name, value);
  out.set("function_source", bson::Value::of(entity.source));
  out.set("last_modified", bson::Value::of(entity.modified));
  return out;
}

Result<bson::ObjectId> service_of(const AdminRequest& request) {
  const auto config = request.config();
  const auto service = config->require(EntityKind::kService, request.parameters.at(0));
  if (service) return (*service)->id;
  return Error(ErrorCode::kServiceNotFound,
               "service not found: '" + request.parameters.at(0) + "'");
}

Task<AdminReply> list_webhooks(AdminApi&, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId service, service_of(request));
  co_return entity_list(request, EntityKind::kWebhook, &view_webhook, service);
}

Task<AdminReply> create_webhook(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId service, service_of(request));
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_CHECK(required_text(body, "name"));
  co_return co_await create_entity(api, request, EntityKind::kWebhook, body, &view_webhook, service,
                                   text_or_empty(body, "function_source"));
}

Task<AdminReply> fetch_webhook(AdminApi&, AdminRequest& request) {
  co_return entity_reply(request, EntityKind::kWebhook, request.parameters.at(1), &view_webhook);
}

Task<AdminReply> replace_webhook(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(Entity * hook, config.require(EntityKind::kWebhook, request.parameters.at(1)));
    if (const auto source = body["function_source"].as_string()) {
      hook->source = std::string(*source);
    }
    const bson::View former = hook->body.view().as_object().value_or(bson::View());
    const bson::Document next = merged(former, body);
    return config.replace(*hook, next);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

Task<AdminReply> remove_webhook(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(
      co_await remove_entity(api, request, EntityKind::kWebhook, request.parameters.at(1)));
  co_return AdminReply::empty();
}

}  // namespace

std::vector<Route> service_routes() {
  return {
      app_route("GET", "/services", kServices, &list_of<EntityKind::kService, &view>),
      app_route("POST", "/services", kServices, &create),
      app_route("POST", "/multi_data_sources", kServices, &create_many),
      app_route("GET", "/services/{id}", kServices, &fetch_of<EntityKind::kService, &view>),
      app_route("PATCH", "/services/{id}", kServices, &patch),
      app_route("DELETE", "/services/{id}", kServices, &remove_of<EntityKind::kService>),
      app_route("GET", "/services/{id}/config", kServices, &fetch_config),
      app_route("PATCH", "/services/{id}/config", kServices, &patch_config),
      app_route("GET", "/service/{id}/config", kServices, &fetch_config),
      app_route("PATCH", "/service/{id}/config", kServices, &patch_config),
      app_route("GET", "/services/{id}/incoming_webhooks", kWebhooks, &list_webhooks),
      app_route("POST", "/services/{id}/incoming_webhooks", kWebhooks, &create_webhook),
      app_route("GET", "/services/{id}/incoming_webhooks/{hook}", kWebhooks, &fetch_webhook),
      app_route("PUT", "/services/{id}/incoming_webhooks/{hook}", kWebhooks, &replace_webhook),
      app_route("DELETE", "/services/{id}/incoming_webhooks/{hook}", kWebhooks, &remove_webhook),
  };
}

}  // namespace restitch::api::admin
