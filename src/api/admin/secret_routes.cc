#include <algorithm>

#include "api/admin/routes.h"
#include "app/names.h"
#include "app/secrets.h"

namespace restitch::api::admin {
namespace {

constexpr Family kSecrets{"secret", "", "SecretAlreadyExists"};
constexpr std::size_t kMaxSecretBytes = 4096;

bson::Document view(const deployment::SecretName& secret) {
  bson::Builder out;
  out.append("_id", secret.id.to_hex()).append("name", secret.name);
  return std::move(out).finish();
}

Status check(std::string_view name, std::string_view value) {
  if (name.empty()) return Error(ErrorCode::kMissingParameter, "'name' is a required string");
  if (name.size() > app::kMaxNameLength || !app::has_name_characters(name)) {
    return Error(ErrorCode::kInvalidArgument,
                 "a secret's name has 1 to 64 ASCII letters, digits, underscores and hyphens");
  }
  if (value.size() <= kMaxSecretBytes) return {};
  return Error(ErrorCode::kInvalidArgument, "a secret's value has at most 4096 bytes");
}

bson::ObjectId app_id(const AdminRequest& request) { return request.app->identity().id; }

Task<deployment::SecretName> find(AdminApi& api, AdminRequest& request) {
  const std::string id = request.parameters.at(0);
  RESTITCH_CO_TRY(const auto secrets, co_await api.apps().store().secret_names(app_id(request)));
  for (const deployment::SecretName& secret : secrets) {
    if (secret.id.to_hex() == id) co_return secret;
  }
  co_return Error(ErrorCode::kNotFound, "secret not found: \"" + id + "\"");
}

// The running app holds the values of its secrets.
Task<void> renew(AdminApi& api, AdminRequest& request, std::string name) {
  const auto running = api.apps().running(*request.app);
  if (!running) co_return Status();
  const auto references = app::secret_references(*running->config);
  const bool is_used =
      std::any_of(references.begin(), references.end(),
                  [&](const app::SecretReference& one) { return one.name == name; });
  if (!is_used) co_return Status();
  co_return co_await api.apps().rebuild(request.app);
}

Task<AdminReply> list(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const auto secrets, co_await api.apps().store().secret_names(app_id(request)));
  std::vector<bson::Document> shown;
  for (const deployment::SecretName& secret : secrets) shown.push_back(view(secret));
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> create(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const std::string name = text_or_empty(body, "name");
  const std::string value = text_or_empty(body, "value");
  RESTITCH_CO_CHECK(check(name, value));
  RESTITCH_CO_TRY(const bson::ObjectId id,
                  co_await api.apps().store().create_secret(app_id(request), name, value));
  RESTITCH_CO_CHECK(co_await renew(api, request, name));
  const deployment::SecretName created{id, name};
  co_return AdminReply::of(view(created), 201);
}

Task<AdminReply> update(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const deployment::SecretName former, co_await find(api, request));
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const std::string sent = text_or_empty(body, "name");
  const std::string name = sent.empty() ? former.name : sent;
  const std::string value = text_or_empty(body, "value");
  RESTITCH_CO_CHECK(check(name, value));
  auto updated = co_await api.apps().store().update_secret(app_id(request), former.id, name, value);
  if (!updated && updated.error().code() == ErrorCode::kDuplicateKey) {
    co_return Error(ErrorCode::kDuplicateKey, "name already in use: '" + name + "'");
  }
  RESTITCH_CO_CHECK(std::move(updated));
  if (name != former.name) {
    RESTITCH_CO_CHECK(
        co_await api.apps().rename_secret(request.app, request.actor, former.name, name));
  }
  RESTITCH_CO_CHECK(co_await renew(api, request, name));
  co_return AdminReply::empty();
}

Task<AdminReply> remove(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const deployment::SecretName secret, co_await find(api, request));
  RESTITCH_CO_CHECK(co_await api.apps().store().delete_secret(app_id(request), secret.id));
  RESTITCH_CO_CHECK(co_await renew(api, request, secret.name));
  co_return AdminReply::empty();
}

}  // namespace

std::vector<Route> secret_routes() {
  return {
      app_route("GET", "/secrets", kSecrets, &list),
      app_route("POST", "/secrets", kSecrets, &create),
      app_route("PUT", "/secrets/{id}", kSecrets, &update),
      app_route("DELETE", "/secrets/{id}", kSecrets, &remove),
  };
}

}  // namespace restitch::api::admin
