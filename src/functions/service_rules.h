#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "functions/function_service.h"
#include "rules/expression.h"

namespace restitch::functions {

// Who may do what with the third-party services of an app (spec: functions §6). Immutable,
// thread-safe.
class ServiceRules {
 public:
  // A rule whose `when` does not compile lets nobody do anything.
  explicit ServiceRules(const std::vector<ThirdPartyService>& services);

  // Errors: kServiceNotFound; kNoMatchingRule when no rule lists the action and holds. `%%args` of
  // a rule is `args`. An action of an API, "s3:PutObject", is also known by its last part.
  Task<void> authorize(std::string service, std::string action, bson::Document args,
                       const rules::EvaluationContext& context) const;

 private:
  struct Rule {
    std::vector<std::string> actions;
    std::shared_ptr<const rules::Expression> when;  // null: always
  };
  std::map<std::string, std::vector<Rule>, std::less<>> rules_;
};

}  // namespace restitch::functions
