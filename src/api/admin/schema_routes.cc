#include "api/admin/entities.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kSchemas{"schema", "SchemaNotFound", "SchemaAlreadyExists"};

Members view(const StoredConfig& config, const Entity& entity, bool full) {
  const Members body(entity.body);
  const Entity* service = config.find(EntityKind::kService, entity.service);
  Members metadata;
  metadata.set("data_source", bson::Value::of(service == nullptr ? "" : service->name));
  metadata.set("database", bson::Value::of(body.text("database")));
  metadata.set("collection", bson::Value::of(body.text("collection")));
  Members out;
  out.set("_id", bson::Value::of(entity.id.to_hex()));
  out.set("metadata", metadata.value());
  if (!full) return out;
  out.set("schema", bson::Value(body["schema"]));
  out.set("relationships", bson::Value(body["relationships"]));
  return out;
}

// What is stored of {metadata, schema, relationships}; `former` fills in what is left out.
struct Parsed {
  bson::Document body;
  std::string data_source;
};

Result<Parsed> parse(bson::View sent, bson::ValueView former) {
  const Members metadata(sent.find("metadata"));
  const Members before(former);
  Members body;
  for (const char* name : {"database", "collection"}) {
    const std::string text = metadata.text(name).empty() ? before.text(name) : metadata.text(name);
    if (text.empty()) {
      return Error(ErrorCode::kMissingParameter,
                   "'metadata." + std::string(name) + "' is a required string");
    }
    body.set(name, bson::Value::of(text));
  }
  for (const char* name : {"schema", "relationships"}) {
    const bson::ValueView value = sent.find(name);
    if (!value.is_nullish() && !value.as_object()) {
      return Error(ErrorCode::kInvalidArgument, "'" + std::string(name) + "' must be an object");
    }
    if (!value.is_nullish()) {
      body.set(name, bson::Value(value));
    } else {
      body.set(name, before[name].as_object() ? bson::Value(before[name])
                                              : bson::Value::of(bson::Document()));
    }
  }
  return Parsed{body.document(), metadata.text("data_source")};
}

Result<bson::ObjectId> service_named(const StoredConfig& config, const std::string& name) {
  const Entity* service = config.find_named(EntityKind::kService, name);
  if (service == nullptr) {
    return Error(ErrorCode::kServiceNotFound, "service not found: '" + name + "'");
  }
  return service->id;
}

Task<AdminReply> create(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document sent, object_body(request.http));
  RESTITCH_CO_TRY(const Parsed parsed, parse(sent, {}));
  const auto config = request.config();
  RESTITCH_CO_TRY(const bson::ObjectId service, service_named(*config, parsed.data_source));
  co_return co_await create_entity(api, request, EntityKind::kSchema, parsed.body, &view, service);
}

Task<AdminReply> replace(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document sent, object_body(request.http));
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(Entity * schema, config.require(EntityKind::kSchema, request.parameters.at(0)));
    RESTITCH_TRY(const Parsed parsed, parse(sent, schema->body));
    if (!parsed.data_source.empty()) {
      RESTITCH_TRY(schema->service, service_named(config, parsed.data_source));
    }
    return config.replace(*schema, parsed.body);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

}  // namespace

std::vector<Route> schema_routes() {
  return {
      app_route("GET", "/schemas", kSchemas, &list_of<EntityKind::kSchema, &view>),
      app_route("POST", "/schemas", kSchemas, &create),
      app_route("GET", "/schemas/{id}", kSchemas, &fetch_of<EntityKind::kSchema, &view>),
      app_route("PUT", "/schemas/{id}", kSchemas, &replace),
      app_route("DELETE", "/schemas/{id}", kSchemas, &remove_of<EntityKind::kSchema>),
  };
}

}  // namespace restitch::api::admin
