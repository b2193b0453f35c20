#include "api/admin/entities.h"
#include "api/admin/routes.h"
#include "auth/crypto.h"
#include "base/encoding.h"
#include "bson/extended_json.h"

namespace restitch::api::admin {
namespace {

constexpr Family kRules{"rule", "RuleNotFound", "RuleAlreadyExists"};

// Roles and filters have ids that follow from their rule and name, so that they stay.
bson::Value with_ids(bson::ValueView list, const Entity& rule) {
  return app::map_elements(list, [&](bson::ValueView element) -> bson::Value {
    Members one(element);
    const std::string seed = rule.id.to_hex() + one.text("name");
    Members out;
    out.set("_id", bson::Value::of(to_hex(auth::sha256(seed).substr(0, 12))));
    for (const auto& [name, value] : one.list()) out.set(name, value);
    return out.value();
  });
}

Members view(const StoredConfig&, const Entity& rule, bool full) {
  const Members body(rule.body);
  Members out;
  out.set("_id", bson::Value::of(rule.id.to_hex()));
  if (!full) {
    const bool is_of_collection = body.contains("database");
    if (!is_of_collection) out.set("name", bson::Value::of(rule.name));
    for (const char* name : {"database", "collection"}) {
      if (is_of_collection) out.set(name, bson::Value::of(body.text(name)));
    }
    return out;
  }
  for (const auto& [name, value] : body.list()) {
    const bool has_ids = name == "roles" || name == "filters";
    out.set(name, has_ids ? with_ids(value, rule) : value);
  }
  return out;
}

Result<bson::ObjectId> service_of(const AdminRequest& request, const StoredConfig& config) {
  const auto service = config.require(EntityKind::kService, request.parameters.at(0));
  if (service) return (*service)->id;
  return Error(ErrorCode::kServiceNotFound,
               "service not found: '" + request.parameters.at(0) + "'");
}

Task<AdminReply> fetch_default(AdminApi&, AdminRequest& request) {
  const auto config = request.config();
  RESTITCH_CO_TRY(const bson::ObjectId service, service_of(request, *config));
  const Entity* rule = config->find_named(EntityKind::kDefaultRule, "default", service);
  if (rule == nullptr) {
    co_return Error(ErrorCode::kNotFound, "default rule does not exist on service");
  }
  Members out = view(*config, *rule, true);
  out.set_default("roles", bson::Value::array(bson::Document()));
  out.set_default("filters", bson::Value::array(bson::Document()));
  co_return AdminReply::of(out.document());
}

Task<AdminReply> create_default(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  bson::ObjectId service;
  const deployment::ConfigEdit add = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(service, service_of(request, config));
    if (config.find_named(EntityKind::kDefaultRule, "default", service) != nullptr) {
      return Error(ErrorCode::kBadRequest, "default rule already exists");
    }
    RESTITCH_CHECK(config.add(EntityKind::kDefaultRule, body, service));
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, add));
  auto created = co_await fetch_default(api, request);
  if (created) created->status = 201;
  co_return created;
}

Task<AdminReply> replace_default(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const deployment::ConfigEdit replace = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(const bson::ObjectId service, service_of(request, config));
    Entity* rule = config.find_named(EntityKind::kDefaultRule, "default", service);
    if (rule == nullptr) return Error(ErrorCode::kBadRequest, "default rule does not exist");
    if (text_or_empty(body, "_id") != rule->id.to_hex()) {
      return Error(ErrorCode::kBadRequest, "service default rule id mismatch");
    }
    return config.replace(*rule, body);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, replace));
  co_return AdminReply::empty();
}

Task<AdminReply> remove_default(AdminApi& api, AdminRequest& request) {
  const deployment::ConfigEdit remove = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(const bson::ObjectId service, service_of(request, config));
    const Entity* rule = config.find_named(EntityKind::kDefaultRule, "default", service);
    if (rule == nullptr) {
      return Error(ErrorCode::kNotFound, "default rule does not exist for app service");
    }
    const bson::ObjectId gone = rule->id;
    config.remove(gone);
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, remove));
  co_return AdminReply::empty();
}

Task<AdminReply> list(AdminApi&, AdminRequest& request) {
  const auto config = request.config();
  RESTITCH_CO_TRY(const bson::ObjectId service, service_of(request, *config));
  co_return entity_list(request, EntityKind::kRule, &view, service);
}

Task<AdminReply> create(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const auto config = request.config();
  RESTITCH_CO_TRY(const bson::ObjectId service, service_of(request, *config));
  const bool is_of_collection = body.view().contains("database");
  RESTITCH_CO_CHECK(required_text(body, is_of_collection ? "collection" : "name"));
  RESTITCH_CO_TRY(AdminReply created,
                  co_await create_entity(api, request, EntityKind::kRule, body, &view, service));
  if (!is_of_collection) co_return created;
  RESTITCH_CO_TRY(const bson::Document shown, bson::parse_json_document(created.body));
  Members out(bson::Value::of(shown).view());
  out.set("name", bson::Value::of(text_or_empty(body, "database") + "." +
                                  text_or_empty(body, "collection")));
  co_return AdminReply::of(out.document(), 201);
}

Task<AdminReply> fetch(AdminApi&, AdminRequest& request) {
  co_return entity_reply(request, EntityKind::kRule, request.parameters.at(1), &view);
}

// The whole rule; its namespace may be left out.
Task<AdminReply> replace(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const deployment::ConfigEdit change = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(Entity * rule, config.require(EntityKind::kRule, request.parameters.at(1)));
    Members next(bson::Value::object(body).view());
    const Members former(rule->body);
    for (const char* name : {"database", "collection", "name"}) {
      if (former.contains(name)) next.set_default(name, bson::Value(former[name]));
    }
    const bson::Document document = next.document();
    return config.replace(*rule, document);
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, change));
  co_return AdminReply::empty();
}

Task<AdminReply> remove(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(
      co_await remove_entity(api, request, EntityKind::kRule, request.parameters.at(1)));
  co_return AdminReply::empty();
}

}  // namespace

std::vector<Route> rule_routes() {
  return {
      app_route("GET", "/services/{id}/default_rule", kRules, &fetch_default),
      app_route("POST", "/services/{id}/default_rule", kRules, &create_default),
      app_route("PUT", "/services/{id}/default_rule", kRules, &replace_default),
      app_route("DELETE", "/services/{id}/default_rule", kRules, &remove_default),
      app_route("GET", "/services/{id}/rules", kRules, &list),
      app_route("POST", "/services/{id}/rules", kRules, &create),
      app_route("GET", "/services/{id}/rules/{rule}", kRules, &fetch),
      app_route("PUT", "/services/{id}/rules/{rule}", kRules, &replace),
      app_route("DELETE", "/services/{id}/rules/{rule}", kRules, &remove),
  };
}

}  // namespace restitch::api::admin
