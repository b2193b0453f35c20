#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "api/admin/admin_api.h"

namespace restitch::api::admin {

// Routes by resource family, one file each.
std::vector<Route> session_routes();
std::vector<Route> app_routes();
std::vector<Route> service_routes();
std::vector<Route> validation_routes();
std::vector<Route> command_routes();
std::vector<Route> rule_routes();
std::vector<Route> explain_routes();
std::vector<Route> schema_routes();
std::vector<Route> function_routes();
std::vector<Route> auth_provider_routes();
std::vector<Route> user_routes();
std::vector<Route> secret_routes();
std::vector<Route> value_routes();
std::vector<Route> trigger_routes();
std::vector<Route> trigger_run_routes();
std::vector<Route> endpoint_routes();
std::vector<Route> settings_routes();
std::vector<Route> sync_routes();
std::vector<Route> security_routes();
std::vector<Route> draft_routes();
std::vector<Route> deploy_routes();
std::vector<Route> transfer_routes();
std::vector<Route> dependency_routes();
std::vector<Route> hosting_routes();
std::vector<Route> log_routes();
std::vector<Route> metric_routes();
std::vector<Route> audit_routes();
std::vector<Route> private_routes();

inline constexpr std::array kRouteFamilies = {
    &session_routes, &app_routes, &service_routes, &validation_routes, &command_routes,
    &rule_routes, &explain_routes, &schema_routes, &function_routes, &auth_provider_routes,
    &user_routes, &secret_routes, &value_routes, &trigger_routes, &trigger_run_routes,
    &endpoint_routes, &settings_routes, &sync_routes, &security_routes, &draft_routes,
    &deploy_routes, &transfer_routes, &dependency_routes, &hosting_routes, &log_routes, &metric_routes,
    &audit_routes, &private_routes};

// Where the app's hosted files are served, and what the configuration of hosting says of it: "",
// setup_ok or change_in_progress.
std::string site_url_of(const AdminApi& api, const AdminRequest& request);
std::string hosting_status(const AdminApi& api, const AdminRequest& request);

// A route below an app.
inline Route app_route(std::string_view method, const std::string& path, const Family& family,
                       AdminHandler handler) {
  return {method, PathPattern("/admin/v3.0/groups/{group}/apps/{app}" + path), Scope::kApp, &family,
          handler};
}

}  // namespace restitch::api::admin
