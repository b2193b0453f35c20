#include <array>

#include "app/assembly.h"
#include "app/root.h"

namespace restitch::app {
namespace {

constexpr std::array<std::string_view, 8> kLocations = {"US-VA", "US-OR", "DE-FF", "IE",
                                                        "AU",    "IN-MB", "SG",    "BR-SP"};
constexpr std::array<std::string_view, 20> kRegions = {
    "aws-us-east-1",    "aws-us-west-2",  "aws-us-east-2",       "aws-eu-central-1",
    "aws-eu-west-1",    "aws-eu-west-2",  "aws-ap-southeast-1",  "aws-ap-southeast-2",
    "aws-ap-south-1",   "aws-sa-east-1",  "azure-eastus2",       "azure-westus",
    "azure-westeurope", "azure-eastasia", "azure-southeastasia", "gcp-us-central1",
    "gcp-us-east4",     "gcp-us-west1",   "gcp-europe-west1",    "gcp-asia-south1"};
constexpr std::array<std::string_view, 2> kDeploymentModels = {"GLOBAL", "LOCAL"};
constexpr std::array<std::string_view, 6> kEnvironments = {"",        "none", "development",
                                                           "testing", "qa",   "production"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

void check_app_name(const Node& node, const std::string& name) {
  check_name(node, name, kMaxAppNameLength);
  if (has_name_characters(name) && !is_letter(name.front())) {
    node.warning("should begin with a letter");
  }
}

// The app's name where the files do not say it: the client app id without its last part, else the
// name of the directory.
std::string name_from(const std::string& client_app_id, const std::string& fallback) {
  const std::size_t dash = client_app_id.rfind('-');
  if (dash != std::string::npos && dash > 0) {
    return client_app_id.substr(0, std::min(dash, kMaxAppNameLength));
  }
  return client_app_id.empty() ? fallback : client_app_id.substr(0, kMaxAppNameLength);
}

// Where an app runs is fixed by its server: an unknown place is kept and told, not refused.
std::string place(const Node& node, std::span<const std::string_view> known) {
  std::string text = node.text();
  if (!text.empty() && std::find(known.begin(), known.end(), text) == known.end()) {
    node.warning("unknown value '" + text + "', must be one of " + joined(known));
  }
  return text;
}

// <scheme>://<host>[:port] and nothing behind it.
bool is_origin(std::string_view text) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view scheme = text.substr(0, colon);
  const std::string_view authority = text.substr(colon + 3);
  const auto is_scheme_character = [](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
  };
  return std::all_of(scheme.begin(), scheme.end(), is_scheme_character) && !authority.empty() &&
         authority.find_first_of("/?#@ \t\r\n\\") == std::string_view::npos;
}

void read_origins(const Node& origins, std::vector<std::string>& out) {
  origins.each_element([&](const Node& element) {
    std::string origin = element.text();
    while (origin.ends_with('/') && !origin.ends_with("://")) {
      origin.pop_back();
      if (!origin.ends_with('/')) element.warning("an origin has no path; the '/' is left out");
    }
    if (!is_origin(origin)) {
      if (element.value().type() == bson::Type::kString) {
        element.error("must be an origin of the form <scheme>://<host>[:port]");
      }
      return;
    }
    out.push_back(std::move(origin));
  });
}

std::string client_app_id(const Assembly& assembly, const Node& root) {
  const Node in_root = root["app_id"];
  const Node in_meta = assembly.file(".mdb/meta.json")["client_app_id"];
  const Node& node = in_root.text().empty() ? in_meta : in_root;
  std::string id = node.text();
  if (id.empty() || has_name_characters(id)) return id;
  node.warning("'" + id + "' cannot be the id of an app and is left out");
  return {};
}

}  // namespace

void read_app_settings(Assembly& assembly) {
  const Node root = assembly.file(assembly.tree.root_file);
  Config& config = assembly.config;
  config.config_version = assembly.tree.config_version;
  if (config.config_version != kVersion2018 && config.config_version != kVersion2020 &&
      config.config_version != kVersion2021 && config.config_version != kVersion2023) {
    root["config_version"].error(
        "unsupported config version, use one of [20180301, 20200603, 20210101] instead",
        "BadRequest");
  }
  config.client_app_id = client_app_id(assembly, root);
  config.name = root["name"].text();
  if (config.name.empty()) {
    config.name = name_from(config.client_app_id, assembly.tree.fallback_name);
  } else {
    check_app_name(root["name"], config.name);
  }
  config.location = place(root["location"], kLocations);
  config.provider_region = place(root["provider_region"], kRegions);
  config.deployment_model = root["deployment_model"].choice(kDeploymentModels, "");
  config.environment = root["environment"].choice(kEnvironments, "");
  if (config.environment == "none") config.environment.clear();  // as the API names it
  read_origins(root["allowed_request_origins"], config.allowed_request_origins);
  read_origins(root["security"]["allowed_request_origins"], config.allowed_request_origins);
}

void read_environments(Assembly& assembly) {
  constexpr std::string_view kNone = "no-environment";
  assembly.each_file("environments", [&](const Node& file) {
    const std::string_view name = stem(file.file());
    const bool is_known = name == kNone || std::find(kEnvironments.begin() + 2, kEnvironments.end(),
                                                     name) != kEnvironments.end();
    if (!is_known) {
      file.error("unknown environment '" + std::string(name) + "', must be one of " +
                 std::string(kNone) + ", development, testing, qa, production");
      return;
    }
    constexpr std::array<std::string_view, 1> kKeys = {"values"};
    file.warn_of_unknown_members(kKeys);
    assembly.config.environments[name == kNone ? "" : std::string(name)] = file["values"].object();
  });
}

}  // namespace restitch::app
