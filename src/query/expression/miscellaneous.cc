#include <algorithm>
#include <random>
#include <utility>

#include "bson/extended_json.h"
#include "query/expression/nodes.h"
#include "query/expression/numbers.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

class RandomNode final : public Expression {
 public:
  Result<Value> evaluate(EvalContext&) const override {
    thread_local std::mt19937_64 generator{std::random_device{}()};
    return Value::of(std::uniform_real_distribution<double>(0.0, 1.0)(generator));
  }
  void add_dependencies(std::set<std::string>&) const override {}
};

Result<ExpressionPtr> parse_random(const bson::Element& element,
                                   const ExpressionCompiler& compiler) {
  const auto object = element.value.as_object();
  const auto array = element.value.as_array();
  if (!(object && object->empty()) && !(array && array->empty())) {
    return mongo_error(3040501, "$rand does not currently accept arguments");
  }
  compiler.scope.note_chance();
  return ExpressionPtr(std::make_shared<RandomNode>());
}

// No document of this engine carries metadata, so that every known kind is missing, or refused
// where only a text or geospatial query could give it.
Result<ExpressionPtr> parse_meta(const bson::Element& element, const ExpressionCompiler&) {
  constexpr std::pair<std::string_view, std::string_view> kOfQueries[] = {
      {"textScore", "text score"},
      {"geoNearDistance", "$geoNear distance"},
      {"geoNearPoint", "$geoNear point"}};
  constexpr std::string_view kKinds[] = {"randVal",           "indexKey",    "recordId",
                                         "sortKey",           "searchScore", "searchHighlights",
                                         "searchScoreDetails"};
  const auto kind = element.value.as_string();
  if (!kind) return mongo_error(17307, "$meta only supports string arguments");
  for (const auto& [name, what] : kOfQueries) {
    if (*kind == name) {
      return mongo_error(
          40218, "query requires " + std::string(what) + " metadata, but it is not available");
    }
  }
  if (std::find(std::begin(kKinds), std::end(kKinds), *kind) == std::end(kKinds)) {
    return mongo_error(17308, "Unsupported argument to $meta: " + std::string(*kind));
  }
  return make_constant(Value());
}

// $function, on a server whose script engine is switched off: known, but it cannot be evaluated.
class FunctionNode final : public Expression {
 public:
  Result<Value> evaluate(EvalContext&) const override {
    return mongo_error(31264,
                       "Cannot run server-side javascript without the javascript engine enabled");
  }
  void add_dependencies(std::set<std::string>& fields) const override { fields.emplace(); }
};

Result<ExpressionPtr> parse_function(const bson::Element& element, const ExpressionCompiler&) {
  const auto object = element.value.as_object();
  if (!object)
    return mongo_error(
        31260, "$function requires an object as an argument, found: " + type_name(element.value));
  if (!object->contains("body")) return mongo_error(31261, "The body function must be specified.");
  if (!object->contains("args")) return mongo_error(31263, "The args field must be specified.");
  if (!object->contains("lang")) return mongo_error(31418, "The lang field must be specified.");
  return ExpressionPtr(std::make_shared<FunctionNode>());
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$function", parse_function),
    parsed("$rand", parse_random),
    parsed("$meta", parse_meta),
};

}  // namespace

OperatorTable miscellaneous_operators() { return kOperators; }

}  // namespace restitch::query
