#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rules/expression/bound_expression.h"
#include "rules/expression/compiled.h"
#include "schema/schema.h"

namespace restitch::rules {

// The `validate` expressions of a collection schema, compiled (spec: rules §10.2, 10.5). Immutable,
// thread-safe.
class SchemaRules {
 public:
  struct Validator {
    std::vector<std::string> path;
    std::shared_ptr<const CompiledExpression> expression;
    bool names_previous = false;  // refers to %%prev or %%prevRoot
  };

  // Problems go to `findings` under `file`, in which the schema stands at `pointer`; null if they
  // are errors.
  static std::shared_ptr<const SchemaRules> compile(const schema::Schema& schema,
                                                    const std::string& file,
                                                    const std::string& pointer,
                                                    app::Findings& findings);

  const std::vector<Validator>& validators() const { return validators_; }
  bool empty() const { return validators_.empty(); }

 private:
  std::vector<Validator> validators_;
};

// Validators with one request.
class BoundSchemaRules {
 public:
  BoundSchemaRules(const SchemaRules& rules, const EvaluationContext& context,
                   FunctionResults& functions);

  // Paths of the validators that a write breaks. `before` is absent for inserts. When a function
  // has to be called first, the results' has_pending() is true and the answer means nothing.
  std::vector<schema::Violation> check(bson::View after, std::optional<bson::View> before);
  // The same for a deletion, which only validators that look at the state before are asked about
  // (spec: rules §10.1). The stored document stands on both sides.
  std::vector<schema::Violation> check_deletion(bson::View document);

 private:
  bool holds(std::size_t index, bson::View after, std::optional<bson::View> before);

  const SchemaRules& rules_;
  std::vector<BoundExpression> bound_;
};

}  // namespace restitch::rules
