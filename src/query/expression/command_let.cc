#include "query/expression/command_let.h"

#include <set>
#include <string>
#include <vector>

#include "query/expression/expression.h"

namespace restitch::query {

Result<bson::Document> evaluate_let(bson::View let, const CommandContext& context) {
  VariableScope scope;
  std::vector<bson::Value> variables;
  const bson::View nothing;
  EvalContext evaluation{context, nothing, variables, std::nullopt};
  std::size_t bytes = 0;
  bson::Builder builder;
  for (const bson::Element& element : let) {
    RESTITCH_TRY(const auto expression, Expression::compile(element.value, context, scope));
    std::set<std::string> fields;
    expression->add_dependencies(fields);
    if (!fields.empty()) {
      return mongo_error(4890500,
                         "Command let Expression tried to access a field, but this is not allowed "
                         "because Command let expressions run before the query examines any "
                         "documents.");
    }
    RESTITCH_TRY(bson::Value value, expression->evaluate(evaluation));
    bytes += value.view().raw().size();
    if (bytes > static_cast<std::size_t>(context.memory_limit)) {
      return mongo_error(146, "The let variables of the command use too much memory");
    }
    RESTITCH_CHECK(scope.bind(element.name));
    builder.append(element.name, value);
    variables.resize(scope.size());
    variables.back() = std::move(value);
  }
  return std::move(builder).finish();
}

}  // namespace restitch::query
