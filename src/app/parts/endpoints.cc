#include <array>

#include "app/assembly.h"
#include "app/root.h"

namespace restitch::app {
namespace {

constexpr std::array<std::string_view, 6> kMethods = {"GET", "POST", "PUT", "PATCH", "DELETE", "*"};
constexpr std::array<std::string_view, 4> kValidations = {"SECRET_AS_QUERY_PARAM", "VERIFY_PAYLOAD",
                                                          "NO_VALIDATION", ""};
constexpr std::array<std::string_view, 3> kReturnTypes = {"JSON", "EJSON", ""};

bool needs_secret(std::string_view validation) {
  return validation == "SECRET_AS_QUERY_PARAM" || validation == "VERIFY_PAYLOAD";
}

void check_validation(const Node& node, bool is_disabled) {
  // Prose of the hosted service's documentation calls the member verification_method.
  const bool has_alias = !node["validation_method"].exists();
  const std::string validation =
      node[has_alias ? "verification_method" : "validation_method"].choice(kValidations, "");
  if (!needs_secret(validation) || is_disabled) return;
  if (node["secret_name"].text().empty() && node["secret_id"].text().empty()) {
    node["secret_name"].error("is required when validation_method is " + validation,
                              "MissingParameter");
  }
}

RequestValidation validation_of(const Node& node) {
  const std::string validation = node["validation_method"].exists()
                                     ? node["validation_method"].text()
                                     : node["verification_method"].text();
  if (validation == "SECRET_AS_QUERY_PARAM") return RequestValidation::kSecretInQuery;
  if (validation == "VERIFY_PAYLOAD") return RequestValidation::kSignature;
  return RequestValidation::kNone;
}

EndpointConfig endpoint_of(const Node& node, std::string route, std::string method,
                           std::string function) {
  EndpointConfig endpoint;
  endpoint.route = std::move(route);
  endpoint.method = std::move(method);
  endpoint.function = std::move(function);
  endpoint.validation = validation_of(node);
  endpoint.secret_name = node["secret_name"].text();
  endpoint.respond_result = node["respond_result"].flag();
  endpoint.returns_ejson = node["return_type"].text() == "EJSON";
  endpoint.fetch_custom_user_data = node["fetch_custom_user_data"].flag();
  endpoint.create_user_on_auth = node["create_user_on_auth"].flag();
  endpoint.disabled = node["disabled"].flag();
  endpoint.file = std::string(node.file());
  endpoint.pointer = node.pointer();
  return endpoint;
}

void read_endpoint(Assembly& assembly, const Node& node) {
  if (!node.exists()) node.error("must be an object");
  if (!node.is_object()) return;
  const bool is_disabled = node["disabled"].flag();
  const std::string route = node["route"].required_text();
  if (!route.empty() && !route.starts_with('/')) node["route"].error("must start with '/'");
  node["http_method"].required_text();
  const std::string method = node["http_method"].choice(kMethods, "");
  if (!route.empty() && !method.empty()) {
    assembly.claim_name(node["route"], "Endpoints", method + " " + route, "InvalidParameter");
  }
  const std::string function = assembly.function_name(node, "function_name", "function_id");
  if (function.empty() && node["function_id"].text().empty() && !is_disabled) {
    node["function_name"].error("is required", "MissingParameter");
  }
  assembly.check_function(node["function_name"], function, is_disabled);
  check_validation(node, is_disabled);
  node["return_type"].choice(kReturnTypes, "");
  assembly.config.endpoints.push_back(endpoint_of(node, route, method, function));
}

void check_data_api(const Node& node) {
  if (!node.is_object()) return;
  const bool is_disabled = node["disabled"].flag();
  node["versions"].texts();
  node["return_type"].choice(kReturnTypes, "");
  check_validation(node, is_disabled);
  node["can_evaluate"].expression();
  if (!node["run_as_user_id"].text().empty() &&
      !node["run_as_user_id_script_source"].text().empty()) {
    node["run_as_user_id_script_source"].error("cannot be given together with run_as_user_id");
  }
}

bool has_entries(const Node& file) {
  const auto list = file.value().as_array();
  return list && !list->empty();
}

// The one of two files that counts: the first one if it has entries, else the other one.
Node choose(const Node& first, const Node& second) {
  if (!first.exists() || !second.exists()) return first.exists() ? first : second;
  const bool first_counts = has_entries(first) || !has_entries(second);
  const Node& left_out = first_counts ? second : first;
  const Node& chosen = first_counts ? first : second;
  left_out.warning("is not used, " + std::string(chosen.file()) + " is");
  return chosen;
}

}  // namespace

void read_endpoints(Assembly& assembly) {
  const bool is_newest = assembly.tree.config_version == kVersion2023;
  const std::string first = is_newest ? "https_endpoints" : "http_endpoints";
  const std::string second = is_newest ? "http_endpoints" : "https_endpoints";
  const Node list =
      choose(assembly.file(first + "/config.json"), assembly.file(second + "/config.json"));
  if (list.exists()) {
    list.each_element([&](const Node& endpoint) { read_endpoint(assembly, endpoint); });
    assembly.config.others.push_back({std::string(list.file()), bson::Value(list.value())});
  }
  for (const std::string& path : {first + "/data_api_config.json", second + "/data_api_config.json",
                                  std::string("data_api_config.json")}) {
    const Node file = assembly.file(path);
    if (!file.exists()) continue;
    check_data_api(file);
    assembly.config.others.push_back({path, bson::Value(file.value())});
    break;
  }
}

}  // namespace restitch::app
