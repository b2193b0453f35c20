#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "auth/auth_service.h"
#include "bson/document.h"
#include "deployment/endpoint_table.h"
#include "deployment/hosting_settings.h"
#include "functions/function_service.h"
#include "net/address_set.h"
#include "rules/data_access.h"

namespace restitch::deployment {

// An app as it runs: compiled at its deployment and immutable. A request keeps the snapshot that it
// began with.
struct DeployedApp {
  bson::ObjectId id;  // internal
  std::string client_app_id, group_id, name;
  std::shared_ptr<const app::Config> config;
  std::shared_ptr<const auth::AppAuth> auth;
  rules::SourceMap sources;  // of the data sources, by name
  std::shared_ptr<rules::DataAccess> data;
  std::shared_ptr<functions::FunctionService> functions;
  std::shared_ptr<const EndpointTable> endpoints;
  HostingSettings hosting;
  bson::Document values;  // name to value, secrets resolved
  std::string environment_tag;
  bson::Document environment_values;
  std::map<std::string, bson::ObjectId> trigger_ids;  // by name, as the Admin API shows them
  std::map<std::string, bson::ObjectId> forwarder_ids;  // the same of log forwarders
  net::AddressSet access_list;  // of the IP addresses that may reach the app

  bool admits(const std::string& address) const { return access_list.contains(address); }
};
using DeployedAppPtr = std::shared_ptr<const DeployedApp>;

}  // namespace restitch::deployment
