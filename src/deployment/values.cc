#include "deployment/values.h"

namespace restitch::deployment {

bson::Document resolve_values(const app::Config& config,
                              const std::map<std::string, std::string>& secrets) {
  bson::Builder values;
  for (const app::ValueConfig& value : config.values) {
    if (!value.from_secret) {
      values.append(value.name, value.value);
      continue;
    }
    const auto secret = secrets.find(std::string(value.value.view().as_string().value_or("")));
    if (secret != secrets.end()) values.append(value.name, secret->second);
  }
  return std::move(values).finish();
}

bson::Document environment_values(const app::Config& config) {
  const auto found = config.environments.find(config.environment);
  return found == config.environments.end() ? bson::Document() : found->second;
}

}  // namespace restitch::deployment
