#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "bson/document.h"
#include "rules/context.h"

namespace restitch::rules::testing {

// The cases of every file tests/data/rules/<prefix>*.json, each an object {"cases": […]} whose
// other members are defaults for its cases.
struct Case {
  std::string file;
  bson::Document content;

  std::string name() const;
};
std::vector<Case> read_cases(const std::string& prefix);

std::vector<app::Role> read_roles(bson::View roles);
std::vector<app::Filter> read_filters(bson::View filters);
// {"roles", "filters", "schema", "default_rule"} as an app with one data source "mongodb-atlas" and
// the collection "shop.items".
app::Config read_config(bson::View content);

// Functions of an app as a case tells them: {"name": result}; {"$throw": text} fails.
class FakeFunctions : public FunctionCaller {
 public:
  explicit FakeFunctions(bson::View functions) : functions_(functions) {}
  Task<bson::Value> call_for_rule(std::string_view name, bson::Document arguments,
                                  const EvaluationContext& context) override;

  std::vector<std::string> calls;  // "name [arguments]"

 private:
  bson::Document functions_;
};

// The request of a case: {"user", "request", "values", "environment", "functions"}.
struct CaseRequest {
  explicit CaseRequest(bson::View content);

  User user;
  bson::Document request, values, environment_values;
  std::string environment_tag;
  FakeFunctions functions;

  EvaluationContext context() {
    return {user, request, values, environment_tag, environment_values, &functions, "test"};
  }
};

}  // namespace restitch::rules::testing
