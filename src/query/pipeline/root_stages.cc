#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/pipeline/stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

// $replaceRoot and $replaceWith.
class ReplaceRootStage final : public DocumentStage {
 public:
  ReplaceRootStage(ExpressionPtr root, std::string what)
      : root_(std::move(root)), what_(std::move(what)) {}

  Result<std::optional<Document>> apply(Document document, RunContext& run) const override {
    EvalContext context = run.evaluation(document);
    Value storage;
    RESTITCH_TRY(const ValueView value, root_->peek(context, storage));
    if (const auto object = value.as_object()) return std::optional(Document(*object));
    return mongo_error(40228,
                       what_ + " expression must evaluate to an object, but resulting value was: " +
                           (value.is_missing() ? "MISSING" : bson::to_shell(value)) +
                           ". Type of resulting value: '" + type_name(value) +
                           "'. Input document: " + bson::to_shell(document.view()));
  }

 private:
  ExpressionPtr root_;
  std::string what_;
};

Status make_replace_root(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto spec = element.value.as_object();
  if (!spec) {
    return mongo_error(40229, "expected an object as specification for $replaceRoot stage, got " +
                                  type_name(element.value));
  }
  ExpressionPtr root;
  for (const bson::Element& argument : *spec) {
    if (argument.name != "newRoot") {
      return mongo_error(
          40230, "unrecognized option to $replaceRoot stage: " + std::string(argument.name) +
                     ", only valid option is 'newRoot'.");
    }
    RESTITCH_TRY(root, compiler.expression(argument.value));
  }
  if (!root) return mongo_error(40231, "no newRoot specified for the $replaceRoot stage");
  out.push_back(std::make_shared<ReplaceRootStage>(std::move(root), "'newRoot'"));
  return {};
}

Status make_replace_with(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  RESTITCH_TRY(ExpressionPtr root, compiler.expression(element.value));
  out.push_back(std::make_shared<ReplaceRootStage>(std::move(root), "'replacement document'"));
  return {};
}

constexpr StageDefinition kStages[] = {
    {"$replaceRoot", make_replace_root, kInUpdate | kInChangeStream},
    {"$replaceWith", make_replace_with, kInUpdate | kInChangeStream},
};

}  // namespace

StageTable root_stages() { return kStages; }

}  // namespace restitch::query
