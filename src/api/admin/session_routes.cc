#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kSessions{};

std::string token_of(const AdminRequest& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view header = request.http.header("Authorization");
  return header.starts_with(kScheme) ? std::string(header.substr(kScheme.size())) : std::string();
}

Task<AdminReply> list_providers(AdminApi&, AdminRequest&) {
  std::vector<bson::Document> list;
  for (const char* type : {"mongodb-cloud", "local-userpass"}) {
    bson::Builder out;
    out.append("name", type).append("type", type).append("disabled", false);
    list.push_back(std::move(out).finish());
  }
  co_return AdminReply::of_list(list);
}

Task<AdminReply> login(AdminApi& api, AdminRequest& request) {
  const std::string provider = request.parameters.at(0);
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  if (provider != "mongodb-cloud" && provider != "local-userpass") {
    co_return Error(ErrorCode::kAuthProviderNotFound, "authentication provider not found");
  }
  const char* secret = provider == "mongodb-cloud" ? "apiKey" : "password";
  RESTITCH_CO_TRY(const auth::LoginResult session,
                  co_await api.accounts().login(provider, text_or_empty(body, "username"),
                                                text_or_empty(body, secret),
                                                request.client_address));
  RESTITCH_CO_TRY(request.admin, api.accounts().authenticate(session.access_token));
  bson::Builder out;
  out.append("access_token", session.access_token).append("refresh_token", session.refresh_token);
  out.append("user_id", session.user_id).append("device_id", session.device_id);
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> profile(AdminApi& api, AdminRequest& request) {
  const auth::AdminUser& admin = request.admin;
  const std::string id = admin.id.to_hex();
  bson::Builder out;
  out.append("user_id", id).append("domain_id", api.accounts().realm().domain_id.to_hex());
  out.open_array("identities").push_object();
  out.append("id", id).append("provider_type", admin.provider).append("provider_id", id);
  out.close().close();
  out.open_object("data").append("email", admin.username).append("name", admin.username).close();
  out.append("type", "normal").open_array("roles").push_object();
  out.append("role_name", "GROUP_OWNER").append("group_id", api.apps().group_id());
  out.close().close();
  co_return AdminReply::of(std::move(out).finish());
}

Task<AdminReply> refresh(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const std::string token, co_await api.accounts().refresh(token_of(request)));
  const bson::Document body = bson::make_document("access_token", token);
  co_return AdminReply::of(body, 201);
}

Task<AdminReply> logout(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_CHECK(co_await api.accounts().logout(token_of(request)));
  co_return AdminReply::empty();
}

Route route(std::string_view method, std::string_view path, Scope scope, AdminHandler handler) {
  return {method, PathPattern(path), scope, &kSessions, handler};
}

// Sign-ins are noted as changes are, what keeps or ends their sessions is not.
Route session_route(std::string_view method, AdminHandler handler) {
  Route made = route(method, "/admin/v3.0/auth/session", Scope::kPublic, handler);
  made.changes = false;
  return made;
}

}  // namespace

std::vector<Route> session_routes() {
  return {
      route("GET", "/admin/v3.0/auth/providers", Scope::kPublic, &list_providers),
      route("POST", "/admin/v3.0/auth/providers/{provider}/login", Scope::kPublic, &login),
      route("GET", "/admin/v3.0/auth/profile", Scope::kAdmin, &profile),
      session_route("POST", &refresh),
      session_route("DELETE", &logout),
  };
}

}  // namespace restitch::api::admin
