#include "deployment/type_declarations.h"

#include <vector>

#include "bson/extended_json.h"
#include "deployment/third_party.h"
#include "deployment/values.h"

namespace restitch::deployment {
namespace {

std::string quoted(std::string_view text) {
  return bson::to_json(bson::Value::of(std::string(text)));
}

std::string one_of(const std::vector<std::string>& names) {
  if (names.empty()) return "never";
  std::string result;
  for (const std::string& name : names) result += (result.empty() ? "" : " | ") + quoted(name);
  return result;
}

std::string member(std::string_view name, std::string_view type) {
  return "    " + quoted(name) + ": " + std::string(type) + ";\n";
}

}  // namespace

std::string type_declarations(const app::Config& config) {
  std::vector<std::string> functions;
  for (const app::FunctionConfig& function : config.functions) functions.push_back(function.name);
  std::vector<std::string> values;
  for (const app::ValueConfig& value : config.values) values.push_back(value.name);
  std::string text = "declare namespace Restitch {\n";
  text += "  type FunctionName = " + one_of(functions) + ";\n";
  text += "  type ValueName = " + one_of(values) + ";\n";
  text += "  interface EnvironmentValues {\n";
  const bson::Document environment = environment_values(config);
  for (const bson::Element& element : environment.view()) text += member(element.name, "any");
  text += "  }\n  interface Services {\n";
  for (const app::DataSourceConfig& source : config.data_sources) {
    text += member(source.name, "MongoClient");
  }
  for (const functions::ThirdPartyService& service : third_party_services(config)) {
    text += member(service.name, service.type == "http" ? "HttpClient" : "any");
  }
  return text + "  }\n}\n";
}

}  // namespace restitch::deployment
