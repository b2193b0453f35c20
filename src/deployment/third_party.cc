#include "deployment/third_party.h"

#include <algorithm>
#include <array>
#include <map>

namespace restitch::deployment {
namespace {

constexpr std::array<std::string_view, 7> kTypes = {"http",   "aws", "aws-s3", "aws-ses",
                                                    "twilio", "gcm", "github"};
constexpr std::string_view kRoot = "services/";

std::string text(bson::ValueView value) { return std::string(value.as_string().value_or("")); }

functions::ServiceRule rule_of(const std::string& file, bson::View view) {
  functions::ServiceRule rule;
  rule.file = file;
  if (const auto actions = view["actions"].as_array()) {
    for (const bson::Element& action : *actions) rule.actions.push_back(text(action.value));
  }
  if (const bson::ValueView when = view["when"]; !when.is_missing()) rule.when = bson::Value(when);
  return rule;
}

}  // namespace

std::vector<functions::ThirdPartyService> third_party_services(const app::Config& config) {
  std::map<std::string, functions::ThirdPartyService> by_folder;
  for (const app::OpaqueFile& file : config.others) {
    if (!file.path.starts_with(kRoot)) continue;
    const std::size_t slash = file.path.find('/', kRoot.size());
    const auto view = file.content.view().as_object();
    if (slash == std::string::npos || !view) continue;
    const std::string_view rest = std::string_view(file.path).substr(slash + 1);
    functions::ThirdPartyService& service = by_folder[file.path.substr(0, slash)];
    if (rest == "config.json") {
      service.name = text((*view)["name"]);
      service.type = text((*view)["type"]);
      if (const auto settings = (*view)["config"].as_object())
        service.config = bson::Document(*settings);
    } else if (rest.starts_with("rules/")) {
      service.rules.push_back(rule_of(file.path, *view));
    }
  }
  std::vector<functions::ThirdPartyService> services;
  for (auto& [folder, service] : by_folder) {
    const bool is_known = std::find(kTypes.begin(), kTypes.end(), service.type) != kTypes.end();
    if (is_known && !service.name.empty()) services.push_back(std::move(service));
  }
  return services;
}

bool has_push_service(const app::Config& config, std::string_view name) {
  const auto services = third_party_services(config);
  const functions::ThirdPartyService* known = functions::find_service(services, name);
  return known != nullptr && known->type == functions::kPushServiceType;
}

}  // namespace restitch::deployment
