#include "api/admin/admin_api.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "api/admin/routes.h"
#include "api/client_view.h"
#include "api/cors.h"
#include "api/http_error.h"
#include "base/encoding.h"
#include "base/log.h"
#include "bson/extended_json.h"

namespace restitch::api::admin {
namespace {

constexpr std::size_t kMaxFindings = 1000;

std::string_view bearer(const net::HttpRequest& request) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view header = request.header("Authorization");
  return header.starts_with(kScheme) ? header.substr(kScheme.size()) : std::string_view();
}

std::string origin_of(const net::HttpRequest& request) {
  const std::string_view caller = request.header("X-BAAS-Request-Origin");
  if (caller == "mongodb-baas-cli") return "CLI";
  return caller == "mongodb-baas-ui" ? "UI" : "API";
}

const app::Finding* first_error(const app::Findings& findings) {
  for (const app::Finding& finding : findings.list()) {
    if (finding.severity == app::FindingSeverity::kError) return &finding;
  }
  return nullptr;
}

void append_findings(bson::Builder& out, const app::Findings& findings) {
  out.open_array("findings");
  std::size_t count = 0;
  for (const app::Finding& finding : findings.list()) {
    if (finding.severity != app::FindingSeverity::kError || ++count > kMaxFindings) continue;
    out.push_object();
    out.append("file", finding.file).append("pointer", finding.pointer);
    out.append("code", finding.code).append("message", finding.message).close();
  }
  out.close();
}

// What a route takes out of the address goes into answers and into the store.
Status check_texts(const AdminRequest& request) {
  const auto is_text = [](const auto& text) { return is_valid_utf8(text); };
  bool is_valid = std::all_of(request.parameters.begin(), request.parameters.end(), is_text);
  for (const auto& [name, value] : request.query) is_valid = is_valid && is_text(value);
  if (is_valid) return {};
  return Error(ErrorCode::kBadRequest, "the address holds a text that is not UTF-8");
}

struct Refusal {
  int status;
  std::string code, text;
};

Refusal refusal_of(const Error& error, const Family& family, const app::Findings& findings) {
  const std::string noun = family.noun.empty() ? "" : std::string(family.noun) + " ";
  if (error.code() == ErrorCode::kNotFound) {
    const bool is_bare = error.message().starts_with("not found");
    return {404, std::string(family.not_found), is_bare ? noun + error.message() : error.message()};
  }
  if (error.code() == ErrorCode::kDuplicateKey) {
    if (error.message().starts_with("another administrator")) return {409, "", error.message()};
    const bool is_bare = error.message().starts_with("name already in use");
    return {family.exists_status, std::string(family.exists),
            is_bare ? noun + error.message() : error.message()};
  }
  if (error.code() == ErrorCode::kInvalidArgument) {
    if (const app::Finding* finding = first_error(findings)) {
      return {400, finding->code, error.message()};
    }
  }
  const HttpError mapped = http_error_of(error.code());
  return {mapped.status, std::string(mapped.error_code), error.message()};
}

}  // namespace

AdminApi::AdminApi(deployment::AppManager& apps, auth::AdminAccounts& accounts,
                   auth::AuthService& auth, auth::UserAdmin& users, deployment::LogStore& logs,
                   triggers::TriggerService& triggers, deployment::HostedFiles& hosted_files,
                   const deployment::AuditLog& audit,
                   deployment::RepositoryDeployments& repositories, AdminApiOptions options)
    : apps_(apps),
      accounts_(accounts),
      auth_(auth),
      users_(users),
      logs_(logs),
      triggers_(triggers),
      hosted_files_(hosted_files),
      audit_(audit),
      repositories_(repositories),
      options_(std::move(options)) {
  while (options_.public_url.ends_with('/')) options_.public_url.pop_back();
  for (auto* family : kRouteFamilies) {
    std::vector<Route> rows = family();
    std::move(rows.begin(), rows.end(), std::back_inserter(routes_));
  }
}

bool AdminApi::serves(std::string_view path) {
  for (const std::string_view family :
       {"/api/admin/v3.0/", "/api/private/v1.0/", "/api/public/v1.0/", "/api/atlas/v1.0/"}) {
    if (path.starts_with(family)) return true;
  }
  return false;
}

AdminRequest AdminApi::begin(const net::HttpRequest& http) const {
  ClientView view = client_view(http, options_.trusted_proxies, options_.public_url);
  return {http,
          bson::ObjectId::generate().to_hex(),
          std::move(view.base_url),
          std::move(view.address),
          {},
          net::parse_query(http.query()),
          {},
          {},
          nullptr,
          {}};
}

// Large bodies are taken from administrators only.
std::size_t AdminApi::body_limit(const net::HttpRequest& head) const {
  std::vector<std::string> parameters;
  const Route* route = find_route(head, parameters);
  if (route == nullptr || route->max_body_bytes == 0) return 0;
  return accounts_.authenticate(bearer(head)) ? route->max_body_bytes : 0;
}

asio::awaitable<net::HttpResponse> AdminApi::handle_oversized(const net::HttpRequest& http) {
  AdminRequest request = begin(http);
  const Route* route = find_route(http, request.parameters);
  const std::size_t limit = body_limit(http);
  const std::string size = limit == 0 ? "18 MB" : std::to_string(limit >> 20U) + " MiB";
  const Result<AdminReply> outcome =
      Error(ErrorCode::kRequestTooLarge, "request is larger than the limit of " + size);
  co_return finish(request, route, outcome);
}

asio::awaitable<net::HttpResponse> AdminApi::handle(const net::HttpRequest& http) {
  AdminRequest request = begin(http);
  const Route* route = find_route(http, request.parameters);
  if (route == nullptr) {
    const bool is_preflight = http.method() == "OPTIONS";
    const Result<AdminReply> outcome =
        is_preflight ? Result<AdminReply>(AdminReply::empty())
                     : Result<AdminReply>(Error(ErrorCode::kNotFound, "not found"));
    co_return finish(request, nullptr, outcome);
  }
  const Result<AdminReply> outcome = co_await dispatch(request, *route);
  net::HttpResponse response = finish(request, route, outcome);
  co_await note_change(request, *route, response.status);
  co_return response;
}

const Route* AdminApi::find_route(const net::HttpRequest& request,
                                  std::vector<std::string>& parameters) const {
  if (!serves(request.path())) return nullptr;
  const std::vector<std::string> segments = split_path(request.path().substr(kPrefix.size()));
  for (const Route& route : routes_) {
    if (route.method == request.method() && route.path.matches(segments, &parameters)) {
      return &route;
    }
  }
  return nullptr;
}

Task<void> AdminApi::authorise(AdminRequest& request, const Route& route) {
  if (route.scope == Scope::kPublic) co_return Status();
  RESTITCH_CO_TRY(request.admin, accounts_.authenticate(bearer(request.http)));
  request.actor = {request.admin.id.to_hex(), origin_of(request.http)};
  if (route.scope == Scope::kAdmin) co_return Status();
  const std::string group = request.parameters.front();
  request.parameters.erase(request.parameters.begin());
  if (route.scope == Scope::kGroup) {
    if (group == apps_.group_id()) co_return Status();
    co_return Error(ErrorCode::kAppNotFound, "group could not be found");
  }
  const std::string app = request.parameters.front();
  request.parameters.erase(request.parameters.begin());
  if (group == apps_.group_id()) {
    RESTITCH_CO_TRY(request.app, co_await apps_.find_current(app));
  }
  if (!request.app) co_return Error(ErrorCode::kAppNotFound, "app not found");
  co_return Status();
}

Task<AdminReply> AdminApi::dispatch(AdminRequest& request, const Route& route) {
  RESTITCH_CO_CHECK(check_texts(request));
  RESTITCH_CO_CHECK(co_await authorise(request, route));
  co_return co_await route.handler(*this, request);
}

// Of a sign-in it is noted too that it was refused, but not what is over the limit of attempts, or an
// attack would fill the disk.
asio::awaitable<void> AdminApi::note_change(const AdminRequest& request, const Route& route,
                                            int status) const {
  if (request.http.method() == "GET" || !route.changes) co_return;
  const bool is_known = request.admin.id != bson::ObjectId{};
  const bool is_sign_in = route.scope == Scope::kPublic;
  if (!is_known && (!is_sign_in || status == 429)) co_return;
  deployment::AuditEntry entry;
  entry.request_id = request.request_id;
  if (is_known) {
    entry.administrator = request.admin.id.to_hex();
    entry.username = request.admin.username;
  }
  entry.origin = origin_of(request.http);
  entry.address = request.client_address;
  entry.method = std::string(request.http.method());
  entry.path = std::string(request.http.path());
  if (request.app) {
    entry.app = request.app->identity().id;
    entry.client_app_id = request.app->identity().client_app_id;
  }
  entry.status = status;
  if (status < 400 && !is_sign_in) {
    RESTITCH_LOG(kInfo, kApi, 4102, "Administrator changed the server",
                 {"request", entry.request_id}, {"administrator", entry.username},
                 {"method", entry.method}, {"path", entry.path}, {"address", entry.address},
                 {"app", entry.client_app_id});
  }
  const auto noted = co_await audit_.add(std::move(entry));
  if (noted) co_return;
  RESTITCH_LOG(kError, kApi, 4103, "An administrator's change is not in the audit log",
               {"request", request.request_id}, {"error", noted.error().message()});
}

net::HttpResponse AdminApi::finish(const AdminRequest& request, const Route* route,
                                   const Result<AdminReply>& outcome) const {
  static constexpr Family kNone{};
  net::HttpResponse response;
  if (outcome) {
    response.status = outcome->status;
    response.body = outcome->body;
    response.headers = outcome->headers;
    if (!response.body.empty()) response.set("Content-Type", outcome->content_type);
  } else {
    const Error& error = outcome.error();
    const Refusal refusal =
        refusal_of(error, route != nullptr ? *route->family : kNone, request.findings);
    bson::Builder body;
    body.append("error", refusal.text);
    if (!refusal.code.empty()) body.append("error_code", refusal.code);
    if (refusal.status == 400 && request.findings.has_errors()) {
      append_findings(body, request.findings);
    }
    response.status = refusal.status;
    response.body = bson::to_json(std::move(body).finish().view(), bson::JsonMode::kRelaxed);
    response.set("Content-Type", "application/json");
    if (refusal.status == 429) {
      response.set("Retry-After", std::to_string(std::max(1, error.retry_after_seconds())));
    }
    if (refusal.status >= 500) {
      RESTITCH_LOG(kError, kApi, 4101, "Administrator's request failed",
                   {"request", request.request_id}, {"code", name_of(error.code())},
                   {"error", error.message()}, {"detail", error.detail()});
    }
  }
  response.set("x-appservices-request-id", request.request_id);
  response.set("Cache-Control", "no-cache, no-store, must-revalidate");
  response.set("X-Frame-Options", "DENY");
  return response;
}

Result<deployment::DeployedAppPtr> AdminApi::running(const AdminRequest& request) const {
  auto app = apps_.running(*request.app);
  if (!app) return Error(ErrorCode::kAppNotFound, "the app is not running");
  return app;
}

Task<void> AdminApi::edit(AdminRequest& request, deployment::ConfigEdit change) {
  co_return co_await apps_.edit(request.app, request.actor, std::move(change), request.findings);
}

}  // namespace restitch::api::admin
