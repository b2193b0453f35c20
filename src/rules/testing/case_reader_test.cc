#include "rules/testing/case_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "bson/extended_json.h"

namespace restitch::rules::testing {
namespace {

std::optional<bson::Value> member(bson::View object, const char* name) {
  const bson::ValueView value = object[name];
  if (value.is_missing()) return std::nullopt;
  return bson::Value(value);
}

bson::Document object(bson::View from, const char* name) {
  return bson::Document(from[name].as_object().value_or(bson::View()));
}

std::string text(bson::View from, const char* name) {
  return std::string(from[name].as_string().value_or(""));
}

void read_members(bson::View from, app::FieldPermission& to) {
  if (const auto fields = from["fields"].as_object()) {
    for (const bson::Element& element : *fields) {
      const bson::View field = element.value.get_document();
      app::FieldPermission permission;
      permission.read = member(field, "read");
      permission.write = member(field, "write");
      read_members(field, permission);
      to.fields.emplace_back(std::string(element.name), std::move(permission));
    }
  }
  if (const auto additional = from["additional_fields"].as_object()) {
    to.additional.emplace(member(*additional, "read"), member(*additional, "write"));
  }
}

app::Role read_role(bson::View from) {
  app::Role role;
  role.name = text(from, "name");
  role.apply_when = member(from, "apply_when");
  if (const auto gates = from["document_filters"].as_object()) {
    role.has_document_filters = true;
    role.document_read = member(*gates, "read");
    role.document_write = member(*gates, "write");
  }
  role.read = member(from, "read");
  role.write = member(from, "write");
  role.insert = member(from, "insert");
  role.remove = member(from, "delete");
  role.search = member(from, "search");
  read_members(from, role.permissions);
  return role;
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream input(path, std::ios::binary);
  std::stringstream content;
  content << input.rdbuf();
  return content.str();
}

void add_cases(const std::filesystem::path& path, std::vector<Case>& cases) {
  auto parsed = bson::parse_json_document(read_file(path));
  if (!parsed) {
    ADD_FAILURE() << path << ": " << parsed.error().message();
    return;
  }
  for (const bson::Element& element : parsed->view()["cases"].get_document()) {
    const bson::View own = element.value.get_document();
    bson::Builder content;
    content.append_all(own);
    for (const bson::Element& shared : parsed->view()) {
      if (shared.name != "cases" && !own.contains(shared.name)) {
        content.append(shared.name, shared.value);
      }
    }
    cases.push_back({path.filename().string(), std::move(content).finish()});
  }
}

}  // namespace

std::string Case::name() const { return std::string(content["name"].as_string().value_or("?")); }

std::vector<Case> read_cases(const std::string& prefix) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry :
       std::filesystem::directory_iterator(RESTITCH_SOURCE_DIR "/tests/data/rules")) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(".json")) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Case> cases;
  for (const std::filesystem::path& path : paths) add_cases(path, cases);
  return cases;
}

std::vector<app::Role> read_roles(bson::View roles) {
  std::vector<app::Role> result;
  for (const bson::Element& element : roles) {
    result.push_back(read_role(element.value.get_document()));
  }
  return result;
}

std::vector<app::Filter> read_filters(bson::View filters) {
  std::vector<app::Filter> result;
  for (const bson::Element& element : filters) {
    const bson::View from = element.value.get_document();
    result.push_back({text(from, "name"), member(from, "apply_when"), object(from, "query"),
                      object(from, "projection")});
  }
  return result;
}

app::Config read_config(bson::View content) {
  app::DataSourceConfig source;
  source.name = "mongodb-atlas";
  source.directory = "data_sources/mongodb-atlas";
  if (const auto rule = content["default_rule"].as_object()) {
    source.has_default_rule = true;
    source.default_roles = read_roles((*rule)["roles"].as_array().value_or(bson::View()));
    source.default_filters = read_filters((*rule)["filters"].as_array().value_or(bson::View()));
  }
  app::CollectionConfig collection;
  collection.database = "shop";
  collection.collection = "items";
  collection.directory = source.directory + "/shop/items";
  collection.rules_file = collection.directory + "/rules.json";
  collection.schema_file = collection.directory + "/schema.json";
  collection.has_rules = content.contains("roles") || content.contains("filters");
  collection.roles = read_roles(content["roles"].as_array().value_or(bson::View()));
  collection.filters = read_filters(content["filters"].as_array().value_or(bson::View()));
  if (const auto schema = content["schema"].as_object()) collection.schema.emplace(*schema);
  source.collections.push_back(std::move(collection));
  app::Config config;
  config.data_sources.push_back(std::move(source));
  return config;
}

Task<bson::Value> FakeFunctions::call_for_rule(std::string_view name, bson::Document arguments,
                                               const EvaluationContext&) {
  const bson::Value list = bson::Value::array(arguments);
  calls.push_back(std::string(name) + " " + bson::to_json(list.view(), bson::JsonMode::kRelaxed));
  const bson::ValueView result = functions_[name];
  if (result.is_missing()) {
    co_return Error(ErrorCode::kFunctionNotFound, "function not found");
  }
  const auto object = result.as_object();
  if (object && object->contains("$throw")) {
    co_return Error(ErrorCode::kFunctionExecution, "thrown");
  }
  if (object && object->contains("$argument")) {
    const auto index = object->find("$argument").as_integer().value_or(0);
    for (const bson::Element& argument : arguments.view()) {
      if (argument.name == std::to_string(index)) co_return bson::Value(argument.value);
    }
  }
  co_return bson::Value(result);
}

CaseRequest::CaseRequest(bson::View content)
    : request(object(content, "request")),
      values(object(content, "values")),
      functions(object(content, "functions")) {
  const bson::Document from = object(content, "user");
  user.id = text(from, "id");
  if (from.view().contains("type")) user.type = text(from, "type");
  user.data = object(from, "data");
  user.custom_data = object(from, "custom_data");
  user.identities = bson::Document(from["identities"].as_array().value_or(bson::View()));
  const bson::Document environment = object(content, "environment");
  environment_tag = text(environment, "tag");
  environment_values = object(environment, "values");
}

}  // namespace restitch::rules::testing
