#include <array>

#include "api/admin/entities.h"
#include "api/admin/paging.h"
#include "api/admin/routes.h"
#include "auth/crypto.h"
#include "base/encoding.h"

namespace restitch::api::admin {
namespace {

constexpr Family kDeploy{"deployment", "DeploymentNotFound", ""};
constexpr const char* kSettings = deployment::RepositoryStore::kSettings;
constexpr const char* kAutomatic = "automatic_deployment";
constexpr std::size_t kMaxSecretBytes = 500;

// What is kept of `automatic_deployment`; further members of an answer are told only.
constexpr std::array kKept = {"enabled", "provider",  "installation_ids", "repository",
                              "branch",  "directory", "poll_seconds"};

Members kept_of(bson::ValueView automatic) {
  const Members given(automatic);
  Members kept;
  for (const char* name : kKept) {
    if (!given[name].is_nullish()) kept.set(name, bson::Value(given[name]));
  }
  return kept;
}

std::string webhook_url(AdminApi& api, const AdminRequest& request) {
  return request.base_url + "/api/admin/v3.0/groups/" + api.apps().group_id() + "/apps/" +
         request.app->identity().id.to_hex() + "/deploy/webhook";
}

bson::Value shown(const deployment::RepositoryState& state) {
  Members out;
  out.set("time", bson::Value::of(iso_text(bson::Date{state.checked_at * 1000})));
  out.set("commit", bson::Value::of(state.commit));
  out.set("status", bson::Value::of(state.trouble.empty() ? state.status : "waiting"));
  out.set("error", bson::Value::of(state.trouble.empty() ? state.error : state.trouble));
  return out.value();
}

Task<AdminReply> fetch_settings(AdminApi& api, AdminRequest& request) {
  const bson::ObjectId app = request.app->identity().id;
  const deployment::RepositoryStore& repositories = api.repositories().store();
  RESTITCH_CO_TRY(const bson::Value stored, co_await api.apps().store().extra(app, kSettings));
  RESTITCH_CO_TRY(const auto state, co_await repositories.state(app));
  RESTITCH_CO_TRY(const auto secrets, co_await repositories.secrets(app));
  Members out(stored.view());
  out.set_default("ui_drafts_disabled", bson::Value::of(false));
  Members automatic(out[kAutomatic]);
  automatic.set_default("enabled", bson::Value::of(false));
  automatic.set_default("provider", bson::Value::of("github"));
  automatic.set_default("installation_ids", bson::Value::array(bson::Document()));
  automatic.set("has_webhook_secret", bson::Value::of(!secrets.webhook_secret.empty()));
  automatic.set("has_access_token", bson::Value::of(!secrets.access_token.empty()));
  automatic.set("webhook_url", bson::Value::of(webhook_url(api, request)));
  if (state.checked_at > 0) automatic.set("last_check", shown(state));
  out.set(kAutomatic, automatic.value());
  out.set_default("last_modified", bson::Value::of(request.app->identity().created));
  co_return AdminReply::of(out.document());
}

// Nothing when it is not given.
Result<std::optional<std::string>> secret_of(const Members& automatic, const char* name) {
  const bson::ValueView value = automatic[name];
  if (value.is_nullish()) return std::optional<std::string>();
  const auto text = value.as_string();
  const bool is_usable = text && text->size() <= kMaxSecretBytes &&
                         text->find_first_of("\r\n") == std::string_view::npos;
  if (is_usable) return std::optional(std::string(*text));
  return Error(ErrorCode::kInvalidArgument,
               "'" + std::string(name) + "' must be a string of one line, at most 500 bytes");
}

Status check_settings(const Members& settings) {
  const bson::ValueView drafts = settings["ui_drafts_disabled"];
  if (!drafts.is_nullish() && !drafts.as_bool()) {
    return Error(ErrorCode::kInvalidArgument, "'ui_drafts_disabled' must be a boolean");
  }
  const Members automatic(settings[kAutomatic]);
  if (automatic.contains("provider") && automatic.text("provider") != "github") {
    return Error(ErrorCode::kInvalidArgument, "'provider' must be github");
  }
  if (automatic.contains("installation_ids") && !automatic["installation_ids"].as_array()) {
    return Error(ErrorCode::kInvalidArgument, "'installation_ids' must be an array");
  }
  return {};
}

// A changed link is looked at at once.
Task<AdminReply> patch_settings(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const bson::Document body, object_body(request.http));
  const bson::ObjectId app = request.app->identity().id;
  const Members sent(bson::Value::object(body).view());
  const Members automatic(sent[kAutomatic]);
  if (!sent[kAutomatic].is_nullish() && !sent[kAutomatic].as_object()) {
    co_return Error(ErrorCode::kInvalidArgument, "'automatic_deployment' must be an object");
  }
  RESTITCH_CO_TRY(auto webhook_secret, secret_of(automatic, "webhook_secret"));
  RESTITCH_CO_TRY(auto access_token, secret_of(automatic, "access_token"));
  RESTITCH_CO_TRY(const bson::Value stored, co_await api.apps().store().extra(app, kSettings));
  const Members former(stored.view());
  Members next;
  next.set("ui_drafts_disabled", bson::Value(sent["ui_drafts_disabled"].is_nullish()
                                                 ? former["ui_drafts_disabled"]
                                                 : sent["ui_drafts_disabled"]));
  const bson::Document link = merged(kept_of(former[kAutomatic]).document(),
                                     kept_of(sent[kAutomatic]).document());
  next.set(kAutomatic, bson::Value::of(link));
  next.set("last_modified", bson::Value::of(deployment::now_in_seconds()));
  RESTITCH_CO_CHECK(check_settings(next));
  RESTITCH_CO_TRY(const auto checked,
                  deployment::read_repository_link(link, api.repositories().allows_files()));
  const deployment::RepositoryStore& repositories = api.repositories().store();
  RESTITCH_CO_CHECK(co_await repositories.put_secrets(app, webhook_secret, access_token));
  RESTITCH_CO_CHECK(co_await api.apps().store().set_extra(app, kSettings, next.value()));
  if (!checked.is_enabled) co_return AdminReply::empty();
  RESTITCH_CO_CHECK(co_await repositories.request(app, true));
  api.repositories().wake();
  co_return AdminReply::empty();
}

Task<void> require_link(AdminApi& api, bson::ObjectId app) {
  RESTITCH_CO_TRY(const bson::Value stored, co_await api.apps().store().extra(app, kSettings));
  const Members automatic(Members(stored.view())[kAutomatic]);
  if (automatic["enabled"].as_bool().value_or(false)) co_return Status();
  co_return Error(ErrorCode::kBadRequest, "automatic deployment is not enabled");
}

AdminReply said(const char* status, int code) {
  return AdminReply::of(bson::make_document("status", status), code);
}

// Looks at the branch; how that ends is in `last_check`.
Task<AdminReply> look_now(AdminApi& api, AdminRequest& request) {
  const bson::ObjectId app = request.app->identity().id;
  RESTITCH_CO_CHECK(co_await require_link(api, app));
  RESTITCH_CO_CHECK(co_await api.repositories().store().request(app, false));
  api.repositories().wake();
  co_return said("accepted", 202);
}

bool is_signed(const net::HttpRequest& http, const std::string& secret) {
  const std::string expected = "sha256=" + to_hex(auth::hmac_sha256(secret, http.body()));
  return auth::equal_in_constant_time(expected, http.header("X-Hub-Signature-256"));
}

// What GitHub, and others that speak like it, tell of a repository. Which branch was pushed to does
// not matter: it is looked at.
Task<AdminReply> take_webhook(AdminApi& api, AdminRequest& request) {
  deployment::ManagedAppPtr app;
  if (request.parameters.at(0) == api.apps().group_id()) {
    RESTITCH_CO_TRY(app, co_await api.apps().find_current(request.parameters.at(1)));
  }
  if (!app) co_return Error(ErrorCode::kAppNotFound, "app not found");
  const bson::ObjectId id = app->identity().id;
  RESTITCH_CO_TRY(const auto secrets, co_await api.repositories().store().secrets(id));
  if (secrets.webhook_secret.empty() || !is_signed(request.http, secrets.webhook_secret)) {
    co_return Error(ErrorCode::kUnauthenticated, "the signature is not that of the webhook secret");
  }
  const std::string_view event = request.http.header("X-GitHub-Event");
  if (event == "ping") co_return said("pong", 200);
  if (event != "push") co_return said("ignored", 200);
  RESTITCH_CO_CHECK(co_await require_link(api, id));
  RESTITCH_CO_CHECK(co_await api.repositories().store().request(id, false));
  api.repositories().wake();
  co_return said("accepted", 202);
}

Route webhook_route() {
  Route route = app_route("POST", "/deploy/webhook", kDeploy, &take_webhook);
  route.scope = Scope::kPublic;
  route.changes = false;
  return route;
}

}  // namespace

std::vector<Route> deploy_routes() {
  return {
      app_route("GET", "/deploy/config", kDeploy, &fetch_settings),
      app_route("PATCH", "/deploy/config", kDeploy, &patch_settings),
      app_route("POST", "/deploy/check", kDeploy, &look_now),
      webhook_route(),
  };
}

}  // namespace restitch::api::admin
