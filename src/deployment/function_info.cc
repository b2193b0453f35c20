#include "deployment/function_info.h"

#include <utility>

#include "deployment/third_party.h"
#include "deployment/values.h"

namespace restitch::deployment {

functions::FunctionAppInfo function_info(const app::Config& config) {
  functions::FunctionAppInfo info;
  info.name = config.name;
  info.deployment_model = config.deployment_model.empty() ? "GLOBAL" : config.deployment_model;
  info.provider_region = config.provider_region;
  info.environment_tag = config.environment;
  info.environment_values = environment_values(config);
  info.functions = config.functions;
  for (const app::WebhookConfig& webhook : config.webhooks) {
    info.functions.push_back(webhook.function);
  }
  for (const app::DataSourceConfig& source : config.data_sources) {
    info.services.emplace_back(
        source.name, source.type == app::SourceType::kDataLake ? "datalake" : "mongodb-atlas");
  }
  info.third_party = third_party_services(config);
  return info;
}

}  // namespace restitch::deployment
