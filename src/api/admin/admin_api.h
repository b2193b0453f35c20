#pragma once

#include <memory>
#include <string>
#include <vector>

#include "api/admin/admin_request.h"
#include "api/route_table.h"
#include "auth/admin_accounts.h"
#include "auth/auth_service.h"
#include "auth/user_admin.h"
#include "deployment/app_manager.h"
#include "deployment/audit_log.h"
#include "deployment/hosting.h"
#include "deployment/log_store.h"
#include "deployment/repository/repository_deployments.h"
#include "net/address_set.h"
#include "runtime/task.h"
#include "triggers/trigger_service.h"

namespace restitch::api::admin {

// What a route needs before its handler runs.
enum class Scope : std::uint8_t {
  kPublic,  // no token
  kAdmin,   // an administrator
  kGroup,   // and a group of his: the first parameter, left out for the handler
  kApp,     // and an app of the group: the second one
};

class AdminApi;
using AdminHandler = Task<AdminReply> (*)(AdminApi& api, AdminRequest& request);

struct Route {
  std::string_view method;
  PathPattern path;  // behind /api
  Scope scope;
  const Family* family;
  AdminHandler handler;
  bool changes = true;  // unless it is a GET: it is noted in the audit log
  std::size_t max_body_bytes = 0;  // beyond the limit of requests, for administrators; 0 = that
};

struct AdminApiOptions {
  std::string public_url;                                    // "" = derived from each request
  net::AddressSet trusted_proxies;
  std::string hosting_domain;                                // "" = hosted files by path only
  std::vector<std::string> clusters, serverless, federated;  // names that the operator has bound
};

// The Admin API v3.0 and the private endpoints beside it (spec: admin-api). Decodes, calls a
// service, encodes; errors become HTTP here. Thread-safe.
class AdminApi {
 public:
  AdminApi(deployment::AppManager& apps, auth::AdminAccounts& accounts, auth::AuthService& auth,
           auth::UserAdmin& users, deployment::LogStore& logs, triggers::TriggerService& triggers,
           deployment::HostedFiles& hosted_files, const deployment::AuditLog& audit,
           deployment::RepositoryDeployments& repositories, AdminApiOptions options);

  static constexpr std::string_view kPrefix = "/api";
  static bool serves(std::string_view path);

  asio::awaitable<net::HttpResponse> handle(const net::HttpRequest& request);
  // How large the body of the request with this head may be; 0 = the limit of requests.
  std::size_t body_limit(const net::HttpRequest& head) const;
  asio::awaitable<net::HttpResponse> handle_oversized(const net::HttpRequest& request);

  deployment::AppManager& apps() { return apps_; }
  auth::AdminAccounts& accounts() { return accounts_; }
  auth::AuthService& auth() { return auth_; }
  auth::UserAdmin& users() { return users_; }
  deployment::LogStore& logs() { return logs_; }
  triggers::TriggerService& triggers() { return triggers_; }
  deployment::HostedFiles& hosted_files() { return hosted_files_; }
  const deployment::AuditLog& audit() const { return audit_; }
  deployment::RepositoryDeployments& repositories() { return repositories_; }
  const AdminApiOptions& options() const { return options_; }
  const std::vector<Route>& routes() const { return routes_; }

  // The running app; kNotFound while it does not run.
  Result<deployment::DeployedAppPtr> running(const AdminRequest& request) const;
  // Changes the configuration as this administrator sees it.
  Task<void> edit(AdminRequest& request, deployment::ConfigEdit edit);

 private:
  const Route* find_route(const net::HttpRequest& request,
                          std::vector<std::string>& parameters) const;
  AdminRequest begin(const net::HttpRequest& request) const;
  Task<AdminReply> dispatch(AdminRequest& request, const Route& route);
  Task<void> authorise(AdminRequest& request, const Route& route);
  asio::awaitable<void> note_change(const AdminRequest& request, const Route& route,
                                    int status) const;
  net::HttpResponse finish(const AdminRequest& request, const Route* route,
                           const Result<AdminReply>& outcome) const;

  deployment::AppManager& apps_;
  auth::AdminAccounts& accounts_;
  auth::AuthService& auth_;
  auth::UserAdmin& users_;
  deployment::LogStore& logs_;
  triggers::TriggerService& triggers_;
  deployment::HostedFiles& hosted_files_;
  const deployment::AuditLog& audit_;
  deployment::RepositoryDeployments& repositories_;
  AdminApiOptions options_;
  std::vector<Route> routes_;
};

}  // namespace restitch::api::admin
