#include "api/admin/entities.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kDrafts{"draft", "DraftNotFound", "DraftAlreadyExists"};
constexpr Family kDeployments{"deployment", "DeploymentNotFound", ""};

Members view(AdminApi& api, const AdminRequest& request, const deployment::Draft& draft) {
  const deployment::AppIdentity& identity = request.app->identity();
  Members app;
  app.set("_id", bson::Value::of(identity.id.to_hex()));
  app.set("client_app_id", bson::Value::of(identity.client_app_id));
  app.set("name", bson::Value::of(identity.name));
  app.set("location", bson::Value::of(identity.location));
  app.set("provider_region", bson::Value::of(identity.provider_region));
  app.set("deployment_model", bson::Value::of(identity.deployment_model));
  app.set("domain_id", bson::Value::of(identity.domain_id.to_hex()));
  app.set("group_id", bson::Value::of(api.apps().group_id()));
  Members out;
  out.set("_id", bson::Value::of(draft.id.to_hex()));
  out.set("user_id", bson::Value::of(draft.administrator));
  out.set("app", app.value());
  return out;
}

bson::Document view(const deployment::Deployment& deployment) {
  const std::string id = deployment.id.to_hex();
  bson::Builder out;
  out.append("_id", id).append("name", deployment.name.empty() ? id : deployment.name);
  out.append("app_id", deployment.app.to_hex());
  if (deployment.draft) out.append("draft_id", deployment.draft->to_hex());
  out.append("user_id", deployment.administrator).append("deployed_at", deployment.deployed_at);
  out.append("origin", deployment.origin).append("commit", deployment.commit);
  out.append("status", deployment::name_of(deployment.status));
  out.append("status_error_message", deployment.error);
  out.append("diff_url", "").append("remote_location", "");
  return std::move(out).finish();
}

Task<AdminReply> list_drafts(AdminApi& api, AdminRequest& request) {
  const auto draft = request.app->draft_of(request.actor.administrator);
  std::vector<bson::Document> shown;
  if (draft) shown.push_back(view(api, request, *draft).document());
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> create_draft(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const deployment::Draft draft,
                  co_await api.apps().create_draft(request.app, request.actor));
  co_return AdminReply::of(view(api, request, draft).document(), 201);
}

Result<bson::ObjectId> id_of(const AdminRequest& request, const char* noun) {
  const auto id = bson::ObjectId::from_hex(request.parameters.at(0));
  if (!id) return Error(ErrorCode::kNotFound, std::string(noun) + " not found");
  return *id;
}

Task<AdminReply> discard_draft(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, id_of(request, "draft"));
  RESTITCH_CO_CHECK(co_await api.apps().discard_draft(request.app, id));
  co_return AdminReply::empty();
}

// The deployment has ended when this answers; callers expect to be told of its beginning.
Task<AdminReply> deploy_draft(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, id_of(request, "draft"));
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(deployment::Deployment deployment,
                  co_await api.apps().deploy_draft(request.app, request.actor, id,
                                                   text_or_empty(body, "name")));
  deployment.status = deployment::DeploymentStatus::kCreated;
  deployment.error.clear();
  co_return AdminReply::of(view(deployment), 201);
}

Task<AdminReply> diff_draft(AdminApi& api, AdminRequest& request) {
  const auto draft = request.app->draft_of(request.actor.administrator);
  if (!draft || draft->id.to_hex() != request.parameters.at(0)) {
    co_return Error(ErrorCode::kNotFound, "draft not found");
  }
  const std::vector<std::string> diffs = api.apps().diff_draft(*request.app, *draft);
  bson::Builder out;
  out.open_array("diffs");
  for (const std::string& diff : diffs) out.push(diff);
  out.close();
  for (const char* group : {"hosting_files_diff", "dependencies_diff"}) {
    out.open_object(group);
    for (const char* list : {"added", "deleted", "modified"}) out.open_array(list).close();
    out.close();
  }
  out.open_object("graphql_config_diff").open_array("field_diffs").close().close();
  out.open_object("schema_options_diff").open_array("graphql_validation_diff").close();
  out.open_array("rest_validation_diff").close().close();
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> list_deployments(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const auto deployments,
                  co_await api.apps().history().deployments(request.app->identity().id));
  std::vector<bson::Document> shown;
  for (const deployment::Deployment& deployment : deployments) shown.push_back(view(deployment));
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> fetch_deployment(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, id_of(request, "deployment"));
  RESTITCH_CO_TRY(const auto deployment,
                  co_await api.apps().history().deployment(request.app->identity().id, id));
  if (!deployment) co_return Error(ErrorCode::kNotFound, "deployment not found");
  co_return AdminReply::of(view(*deployment));
}

Task<AdminReply> redeploy(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, id_of(request, "deployment"));
  RESTITCH_CO_CHECK(co_await api.apps().redeploy(request.app, request.actor, id));
  co_return AdminReply::empty();
}

}  // namespace

std::vector<Route> draft_routes() {
  return {
      app_route("GET", "/drafts", kDrafts, &list_drafts),
      app_route("POST", "/drafts", kDrafts, &create_draft),
      app_route("DELETE", "/drafts/{id}", kDrafts, &discard_draft),
      app_route("POST", "/drafts/{id}/deployment", kDrafts, &deploy_draft),
      app_route("GET", "/drafts/{id}/diff", kDrafts, &diff_draft),
      app_route("GET", "/deployments", kDeployments, &list_deployments),
      app_route("GET", "/deployments/{id}", kDeployments, &fetch_deployment),
      app_route("POST", "/deployments/{id}/redeploy", kDeployments, &redeploy),
  };
}

}  // namespace restitch::api::admin
