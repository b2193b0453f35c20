#include "api/admin/openapi.h"

#include <gtest/gtest.h>

#include <set>

#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

std::vector<Route> all_routes() {
  std::vector<Route> routes;
  for (auto* family : kRouteFamilies) {
    for (Route& route : family()) routes.push_back(std::move(route));
  }
  return routes;
}

std::string name_of(std::string_view method, std::string_view path) {
  return std::string(method) + " " + std::string(path);
}

TEST(OpenApi, every_route_has_one_note_and_every_note_a_route) {
  std::multiset<std::string> routes, notes;
  for (const Route& route : all_routes()) routes.insert(name_of(route.method, route.path.text()));
  for (const OperationNote& note : operation_notes()) {
    notes.insert(name_of(note.method, path_of(note)));
  }
  EXPECT_EQ(routes, notes);
}

TEST(OpenApi, every_route_is_an_operation_of_the_document) {
  const std::vector<Route> routes = all_routes();
  const bson::Document document = openapi_document(routes, "http://localhost");
  const bson::View paths = document["paths"].as_object().value_or(bson::View());
  std::set<std::string> ids;
  for (const Route& route : routes) {
    const bson::View path = paths[route.path.text()].as_object().value_or(bson::View());
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    const bson::View operation = path[method].as_object().value_or(bson::View());
    const auto id = operation["operationId"].as_string();
    ASSERT_TRUE(id) << name_of(route.method, route.path.text());
    EXPECT_TRUE(ids.insert(std::string(*id)).second) << *id;
    EXPECT_FALSE(operation["summary"].as_string().value_or("").empty()) << *id;
  }
}

}  // namespace
}  // namespace restitch::api::admin
