#include "query/expression/command_let.h"

#include <set>
#include <string>

#include "query/expression/expression.h"

namespace restitch::query {

Result<bson::Document> evaluate_let(bson::View let, const CommandContext& context) {
  CommandContext own = context;
  own.let = bson::Document();
  for (const bson::Element& element : let) {
    std::size_t slot = 0;
    RESTITCH_CHECK(VariableScope().with(element.name, &slot));
    RESTITCH_TRY(const auto expression, Expression::compile(element.value, own, VariableScope()));
    std::set<std::string> fields;
    expression->add_dependencies(fields);
    if (!fields.empty()) {
      return mongo_error(4890500,
                         "Command let Expression tried to access a field, but this is not allowed "
                         "because Command let expressions run before the query examines any "
                         "documents.");
    }
    RESTITCH_TRY(const bson::Value value, expression->evaluate(bson::View(), own));
    bson::Builder builder;
    builder.append_all(own.let);
    builder.append(element.name, value);
    own.let = std::move(builder).finish();
  }
  return std::move(own.let);
}

}  // namespace restitch::query
