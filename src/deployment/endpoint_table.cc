#include "deployment/endpoint_table.h"

namespace restitch::deployment {
namespace {

bool runs_as_caller(const app::FunctionConfig& function) {
  return !function.run_as_system && function.run_as_user_id.empty() &&
         function.run_as_user_id_script_source.empty();
}

Endpoint endpoint_of(const app::EndpointConfig& config, const app::FunctionConfig& function,
                     const std::map<std::string, std::string>& secrets) {
  Endpoint endpoint;
  endpoint.route = config.route;
  endpoint.function = config.function;
  endpoint.validation = config.validation;
  const auto secret = secrets.find(config.secret_name);
  if (secret != secrets.end()) endpoint.secret = secret->second;
  endpoint.needs_user = runs_as_caller(function);
  endpoint.respond_result = config.respond_result;
  endpoint.returns_ejson = config.returns_ejson;
  endpoint.fetch_custom_user_data = config.fetch_custom_user_data;
  endpoint.create_user_on_auth = config.create_user_on_auth;
  endpoint.disable_arg_logs = function.disable_arg_logs;
  return endpoint;
}

Endpoint endpoint_of(const app::WebhookConfig& config) {
  Endpoint endpoint;
  endpoint.is_webhook = true;
  endpoint.service = config.service;
  endpoint.name = config.name;
  endpoint.route = "/" + config.service + "/" + config.name;
  endpoint.function = config.function.name;
  endpoint.validation = config.validation;
  endpoint.secret = config.secret;
  endpoint.needs_user = runs_as_caller(config.function);
  endpoint.respond_result = config.respond_result;
  endpoint.returns_ejson = true;
  endpoint.fetch_custom_user_data = config.fetch_custom_user_data;
  endpoint.create_user_on_auth = config.create_user_on_auth;
  endpoint.disable_arg_logs = config.function.disable_arg_logs;
  return endpoint;
}

// The type of a third-party service: "http", "github", …
std::string type_of_service(const app::Config& config, std::string_view name) {
  for (const app::OpaqueFile& file : config.others) {
    const auto object = file.content.view().as_object();
    if (!object || !file.path.ends_with("/config.json")) continue;
    if ((*object)["name"].as_string() != name || !object->contains("type")) continue;
    return std::string((*object)["type"].as_string().value_or(""));
  }
  return {};
}

}  // namespace

EndpointTable::EndpointTable(const app::Config& config,
                             const std::map<std::string, std::string>& secrets) {
  for (const app::EndpointConfig& endpoint : config.endpoints) {
    const app::FunctionConfig* function = config.find_function(endpoint.function);
    if (endpoint.disabled || function == nullptr) continue;
    endpoints_.emplace(std::pair(endpoint.route, endpoint.method),
                       endpoint_of(endpoint, *function, secrets));
  }
  for (const app::WebhookConfig& webhook : config.webhooks) {
    Endpoint endpoint = endpoint_of(webhook);
    endpoint.service_type = type_of_service(config, webhook.service);
    std::pair key(endpoint.route, webhook.method);
    webhooks_.emplace(std::move(key), std::move(endpoint));
  }
}

const Endpoint* EndpointTable::find_in(const Table& table, std::string_view route,
                                       std::string_view method) {
  for (const std::string_view wanted : {method, std::string_view("*")}) {
    const auto found = table.find(std::pair(std::string(route), std::string(wanted)));
    if (found != table.end()) return &found->second;
  }
  return nullptr;
}

const Endpoint* EndpointTable::find(std::string_view route, std::string_view method) const {
  return find_in(endpoints_, route, method);
}

const Endpoint* EndpointTable::find_webhook(std::string_view service, std::string_view name,
                                            std::string_view method) const {
  return find_in(webhooks_, "/" + std::string(service) + "/" + std::string(name), method);
}

}  // namespace restitch::deployment
