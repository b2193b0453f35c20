#include "api/admin/entities.h"

namespace restitch::api::admin {
namespace {

void add_id(const StoredConfig& config, EntityKind kind, std::string_view name_member,
            std::string_view id_member, Members& members) {
  const std::string name = members.text(name_member);
  const Entity* entity = name.empty() ? nullptr : config.find_named(kind, name);
  if (entity != nullptr) members.set(id_member, bson::Value::of(entity->id.to_hex()));
}

}  // namespace

void add_function_id(const StoredConfig& config, Members& members) {
  add_id(config, EntityKind::kFunction, "function_name", "function_id", members);
}

void add_service_id(const StoredConfig& config, Members& members) {
  add_id(config, EntityKind::kService, "service_name", "service_id", members);
}

AdminReply entity_list(const AdminRequest& request, EntityKind kind, EntityView view,
                       const bson::ObjectId& service) {
  const auto config = request.config();
  std::vector<bson::Document> list;
  for (const Entity& entity : config->entities) {
    const bool is_wanted =
        entity.kind == kind && (service == bson::ObjectId{} || entity.service == service);
    if (is_wanted) list.push_back(view(*config, entity, false).document());
  }
  return AdminReply::of_list(list);
}

Result<AdminReply> entity_reply(const AdminRequest& request, EntityKind kind, std::string_view id,
                                EntityView view, int status) {
  const auto config = request.config();
  RESTITCH_TRY(const Entity* entity, config->require(kind, id));
  return AdminReply::of(view(*config, *entity, true).document(), status);
}

Task<AdminReply> create_entity(AdminApi& api, AdminRequest& request, EntityKind kind,
                               bson::Document body, EntityView view, bson::ObjectId service,
                               std::string source) {
  bson::ObjectId id;
  const deployment::ConfigEdit add = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(id, config.add(kind, body, service, source));
    return {};
  };
  RESTITCH_CO_CHECK(co_await api.edit(request, add));
  const auto config = request.config();
  const Entity* created = config->find(kind, id);
  // Another administrator may have been faster to remove it.
  if (created == nullptr) co_return Error(ErrorCode::kNotFound, "not found: '" + id.to_hex() + "'");
  co_return AdminReply::of(view(*config, *created, false).document(), 201);
}

Task<void> replace_entity(AdminApi& api, AdminRequest& request, EntityKind kind, std::string id,
                          bson::Document body, bool keeps_absent) {
  const deployment::ConfigEdit replace = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(Entity * entity, config.require(kind, id));
    const auto former = entity->body.view().as_object().value_or(bson::View());
    const bson::Document next = keeps_absent ? merged(former, body) : body;
    return config.replace(*entity, next);
  };
  co_return co_await api.edit(request, replace);
}

Task<void> remove_entity(AdminApi& api, AdminRequest& request, EntityKind kind, std::string id) {
  const deployment::ConfigEdit remove = [&](StoredConfig& config) -> Status {
    RESTITCH_TRY(const Entity* entity, config.require(kind, id));
    const bson::ObjectId gone = entity->id;
    config.remove(gone);
    return {};
  };
  co_return co_await api.edit(request, remove);
}

bson::Document merged(bson::View base, bson::View patch) {
  Members members(bson::Value::object(base).view());
  for (const bson::Element& member : patch) {
    if (!member.value.is_nullish()) members.set(member.name, bson::Value(member.value));
  }
  return members.document();
}

bson::Document deep_merged(bson::View base, bson::View patch) {
  Members members(bson::Value::object(base).view());
  for (const bson::Element& member : patch) {
    if (member.value.is_nullish()) continue;
    const auto inner = member.value.as_object();
    const auto former = members[member.name].as_object();
    if (inner && former) {
      members.set(member.name, bson::Value::of(deep_merged(*former, *inner)));
    } else {
      members.set(member.name, bson::Value(member.value));
    }
  }
  return members.document();
}

}  // namespace restitch::api::admin
