#include <chrono>

#include "api/admin/routes.h"
#include "auth/tokens.h"
#include "bson/extended_json.h"

namespace restitch::api::admin {
namespace {

constexpr Family kUsers{"user", "UserNotFound", "AccountNameInUse"};
constexpr Family kKeys{"API key", "APIKeyNotFound", "APIKeyAlreadyExists"};

std::int64_t seconds(bson::Date date) { return date.millis / 1000; }

bson::Document view(const auth::UserRecord& user) {
  bson::Builder out;
  out.append("_id", user.id.to_hex()).open_array("identities");
  for (const auth::Identity& identity : user.identities) {
    out.push_object();
    out.append("id", identity.id).append("provider_type", identity.provider_type);
    out.append("provider_id", identity.provider_id.to_hex());
    out.append("provider_data", identity.data).close();
  }
  out.close();
  out.append("type", user.type).append("disabled", user.disabled);
  out.append("data", user.merged_data()).append("creation_date", seconds(user.created));
  out.append("last_authentication_date", seconds(user.last_authenticated));
  return std::move(out).finish();
}

Result<bson::ObjectId> user_id(const AdminRequest& request) {
  const auto id = bson::ObjectId::from_hex(request.parameters.at(0));
  if (!id) return Error(ErrorCode::kUserNotFound, "user not found");
  return *id;
}

bson::ObjectId app_id(const AdminRequest& request) { return request.app->identity().id; }

Task<AdminReply> list(AdminApi& api, AdminRequest& request) {
  auth::UserQuery query;
  if (const auto after = request.query_value("after"); after && !after->empty()) {
    query.after = bson::ObjectId::from_hex(*after);
    if (!query.after) co_return Error(ErrorCode::kInvalidArgument, "'after' must be a user id");
  }
  query.descending = request.query_value("desc").value_or("false") == "true";
  const std::string status = request.query_value("status").value_or("");
  if (!status.empty() && status != "enabled" && status != "disabled") {
    co_return Error(ErrorCode::kInvalidArgument, "'status' must be enabled or disabled");
  }
  if (!status.empty()) query.disabled = status == "disabled";
  query.provider_types = comma_separated(request.query_value("provider_types").value_or(""));
  RESTITCH_CO_TRY(const auto users, co_await api.users().list(app_id(request), std::move(query)));
  std::vector<bson::Document> shown;
  for (const auth::UserRecord& user : users) shown.push_back(view(user));
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> create(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  RESTITCH_CO_TRY(const auth::UserRecord user,
                  co_await api.users().create(app->auth, text_or_empty(body, "email"),
                                              text_or_empty(body, "password")));
  co_return AdminReply::of(view(user), 201);
}

Task<AdminReply> fetch(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, user_id(request));
  RESTITCH_CO_TRY(const auth::UserRecord user, co_await api.users().find(app_id(request), id));
  co_return AdminReply::of(view(user));
}

Task<AdminReply> remove(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, user_id(request));
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  RESTITCH_CO_CHECK(co_await api.users().remove(app->auth, id));
  co_return AdminReply::empty();
}

Task<AdminReply> enable(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, user_id(request));
  RESTITCH_CO_CHECK(co_await api.users().set_disabled(app_id(request), id, false));
  co_return AdminReply::empty();
}

Task<AdminReply> disable(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, user_id(request));
  RESTITCH_CO_CHECK(co_await api.users().set_disabled(app_id(request), id, true));
  co_return AdminReply::empty();
}

Task<AdminReply> logout(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, user_id(request));
  RESTITCH_CO_CHECK(co_await api.users().revoke_sessions(app_id(request), id));
  co_return AdminReply::empty();
}

Task<AdminReply> devices(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, user_id(request));
  RESTITCH_CO_TRY(const auto found, co_await api.users().devices(app_id(request), id));
  std::vector<bson::Document> shown;
  for (const bson::Document& device : found) {
    bson::Builder out;
    out.append("_id", device["device"].as_object_id().value_or(bson::ObjectId{}).to_hex());
    out.append_all(device["fields"].as_object().value_or(bson::View()));
    shown.push_back(std::move(out).finish());
  }
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> reset_email(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::ObjectId id, user_id(request));
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  RESTITCH_CO_CHECK(co_await api.users().set_email(app->auth, id, text_or_empty(body, "email")));
  co_return AdminReply::empty();
}

Task<AdminReply> verify_token(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  const std::string token = text_or_empty(body, "token");
  const std::int64_t now = deployment::now_in_seconds();
  const auto claims = auth::verify_access_token(app->auth->realm, token, now);
  if (!claims && claims.error().code() == ErrorCode::kInvalidSession) {
    co_return AdminReply{200, "\"token expired\""};
  }
  const Error invalid(ErrorCode::kInvalidSession, "invalid session");
  if (!claims) co_return invalid;
  const auto bearer = co_await api.auth().authenticate(app->auth, token);
  if (!bearer) co_return invalid;
  bson::Builder out;
  out.append("sub", claims->user_id).append("exp", claims->expires_at);
  out.append("iat", claims->issued_at).append("iss", claims->session_id.to_hex());
  out.append("domain_id", app->auth->realm.domain_id.to_hex());
  out.append("device_id", claims->device_id).append("data", bearer->user->data);
  if (!claims->user_data.empty()) out.append("custom_user_data", claims->user_data);
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> pending(AdminApi& api, AdminRequest& request) {
  std::optional<bson::ObjectId> after;
  if (const auto text = request.query_value("after")) after = bson::ObjectId::from_hex(*text);
  RESTITCH_CO_TRY(const auto logins, co_await api.users().pending(app_id(request), after));
  std::vector<bson::Document> shown;
  for (const auth::PasswordLogin& login : logins) {
    bson::Builder out;
    out.append("_id", login.id.to_hex()).append("user_id", "");
    out.append("domain_id", request.app->identity().domain_id.to_hex());
    out.open_array("login_ids").push_object();
    out.append("id_type", "email").append("id", login.email).close().close();
    shown.push_back(std::move(out).finish());
  }
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> remove_pending(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await api.users().remove_pending(app_id(request), request.parameters.at(0)));
  co_return AdminReply::empty();
}

Task<AdminReply> confirm(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await api.users().confirm(app_id(request), request.parameters.at(0)));
  co_return AdminReply::empty();
}

Task<AdminReply> send_confirm(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  RESTITCH_CO_CHECK(co_await api.auth().send_confirmation(app->auth, request.parameters.at(0)));
  co_return AdminReply::of(bson::Document());
}

Task<AdminReply> run_confirm(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  RESTITCH_CO_CHECK(co_await api.auth().call_confirmation(app->auth, request.parameters.at(0)));
  co_return AdminReply::empty(202);
}

void append_key(bson::Builder& out, const auth::ApiKey& key) {
  out.append("_id", key.id.to_hex()).append("name", key.name).append("disabled", key.disabled);
}

bson::Document key_view(const auth::ApiKey& key) {
  bson::Builder out;
  append_key(out, key);
  return std::move(out).finish();
}

Task<AdminReply> list_keys(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const auto keys, co_await api.users().server_keys(app_id(request)));
  std::vector<bson::Document> shown;
  for (const auth::ApiKey& key : keys) shown.push_back(key_view(key));
  co_return AdminReply::of_list(shown);
}

Task<AdminReply> create_key(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  RESTITCH_CO_TRY(const deployment::DeployedAppPtr app, api.running(request));
  RESTITCH_CO_TRY(const auth::CreatedApiKey created,
                  co_await api.users().create_server_key(app->auth, text_or_empty(body, "name")));
  bson::Builder out;
  append_key(out, created.key);
  out.append("key", created.secret);
  co_return AdminReply::of(std::move(out).finish(), 201);
}

Task<AdminReply> fetch_key(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const auth::ApiKey key,
                  co_await api.users().server_key(app_id(request), request.parameters.at(0)));
  co_return AdminReply::of(key_view(key));
}

Task<AdminReply> remove_key(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(
      co_await api.users().remove_server_key(app_id(request), request.parameters.at(0)));
  co_return AdminReply::empty();
}

Task<AdminReply> enable_key(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await api.users().set_server_key_disabled(app_id(request),
                                                                 request.parameters.at(0), false));
  co_return AdminReply::empty();
}

Task<AdminReply> disable_key(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await api.users().set_server_key_disabled(app_id(request),
                                                                 request.parameters.at(0), true));
  co_return AdminReply::empty();
}

}  // namespace

std::vector<Route> user_routes() {
  return {
      app_route("GET", "/users", kUsers, &list),
      app_route("POST", "/users", kUsers, &create),
      app_route("POST", "/users/verify_token", kUsers, &verify_token),
      app_route("GET", "/users/{id}", kUsers, &fetch),
      app_route("DELETE", "/users/{id}", kUsers, &remove),
      app_route("PUT", "/users/{id}/enable", kUsers, &enable),
      app_route("PUT", "/users/{id}/disable", kUsers, &disable),
      app_route("PUT", "/users/{id}/logout", kUsers, &logout),
      app_route("GET", "/users/{id}/devices", kUsers, &devices),
      app_route("PATCH", "/users/{id}/reset_email", kUsers, &reset_email),
      app_route("GET", "/user_registrations/pending_users", kUsers, &pending),
      app_route("DELETE", "/user_registrations/by_email/{email}", kUsers, &remove_pending),
      app_route("POST", "/user_registrations/by_email/{email}/confirm", kUsers, &confirm),
      app_route("POST", "/user_registrations/by_email/{email}/send_confirm", kUsers, &send_confirm),
      app_route("POST", "/user_registrations/by_email/{email}/run_confirm", kUsers, &run_confirm),
      app_route("GET", "/api_keys", kKeys, &list_keys),
      app_route("POST", "/api_keys", kKeys, &create_key),
      app_route("GET", "/api_keys/{id}", kKeys, &fetch_key),
      app_route("DELETE", "/api_keys/{id}", kKeys, &remove_key),
      app_route("PUT", "/api_keys/{id}/enable", kKeys, &enable_key),
      app_route("PUT", "/api_keys/{id}/disable", kKeys, &disable_key),
  };
}

}  // namespace restitch::api::admin
