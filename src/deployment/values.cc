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

std::vector<std::string> secret_values(const app::Config& config, bson::View values) {
  std::vector<std::string> secrets;
  for (const app::ValueConfig& value : config.values) {
    const auto text = values[value.name].as_string();
    if (value.from_secret && text) secrets.emplace_back(*text);
  }
  return secrets;
}

bson::Document resolve_secret_config(bson::View secret_config,
                                     const std::map<std::string, std::string>& secrets) {
  const auto find = [&secrets](bson::ValueView name) {
    const auto secret = secrets.find(std::string(name.as_string().value_or("")));
    return secret == secrets.end() ? bson::Value() : bson::Value::of(secret->second);
  };
  bson::Builder resolved;
  for (const bson::Element& member : secret_config) {
    const auto list = member.value.as_array();
    if (!list) {
      resolved.append(member.name, find(member.value));
      continue;
    }
    resolved.open_array(member.name);
    for (const bson::Element& name : *list) {
      if (const bson::Value secret = find(name.value); !secret.is_missing()) resolved.push(secret);
    }
    resolved.close();
  }
  return std::move(resolved).finish();
}

bson::Document environment_values(const app::Config& config) {
  const auto found = config.environments.find(config.environment);
  return found == config.environments.end() ? bson::Document() : found->second;
}

}  // namespace restitch::deployment
