#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "api/admin/admin_api.h"
#include "app/writing/members.h"
#include "deployment/stored_config.h"

namespace restitch::api::admin {

using app::Members;
using deployment::Entity;
using deployment::EntityKind;
using deployment::StoredConfig;

// How an entity is shown. `full`: not in a list.
using EntityView = Members (*)(const StoredConfig& config, const Entity& entity, bool full);

// The ids of things that a body names, put in beside the names.
void add_function_id(const StoredConfig& config, Members& members);
void add_service_id(const StoredConfig& config, Members& members);

// [{…}] of a kind, of one service if `service` is given.
AdminReply entity_list(const AdminRequest& request, EntityKind kind, EntityView view,
                       const bson::ObjectId& service = {});
Result<AdminReply> entity_reply(const AdminRequest& request, EntityKind kind, std::string_view id,
                                EntityView view, int status = 200);
// Adds the body and answers 201 with its view.
Task<AdminReply> create_entity(AdminApi& api, AdminRequest& request, EntityKind kind,
                               bson::Document body, EntityView view, bson::ObjectId service = {},
                               std::string source = {});
// Replaces the body; members that `body` lacks keep their stored value if `keeps_absent`.
Task<void> replace_entity(AdminApi& api, AdminRequest& request, EntityKind kind, std::string id,
                          bson::Document body, bool keeps_absent);
Task<void> remove_entity(AdminApi& api, AdminRequest& request, EntityKind kind, std::string id);

// Handlers of routes whose first parameter is the entity's id.
template <EntityKind kind, EntityView view>
Task<AdminReply> list_of(AdminApi&, AdminRequest& request) {
  co_return entity_list(request, kind, view);
}
template <EntityKind kind, EntityView view>
Task<AdminReply> fetch_of(AdminApi&, AdminRequest& request) {
  co_return entity_reply(request, kind, request.parameters.at(0), view);
}
template <EntityKind kind>
Task<AdminReply> remove_of(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await remove_entity(api, request, kind, request.parameters.at(0)));
  co_return AdminReply::empty();
}

// `base` with the members of `patch` in their place; null means absent and changes nothing.
bson::Document merged(bson::View base, bson::View patch);
// The same, objects inside objects too.
bson::Document deep_merged(bson::View base, bson::View patch);

}  // namespace restitch::api::admin
