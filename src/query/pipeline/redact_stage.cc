#include "bson/extended_json.h"
#include "query/pipeline/stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

// Decides on a document and on every document inside it.
class Redactor {
 public:
  Redactor(const Expression& expression, EvalContext& context)
      : expression_(expression), context_(context) {}

  // Nothing when the document is pruned.
  Result<std::optional<Document>> redact(bson::View document) {
    context_.current = ValueView(Type::kObject, document.data(), document.size());
    Value storage;
    RESTITCH_TRY(const ValueView answer, expression_.peek(context_, storage));
    const auto text = answer.as_string();
    if (text == "keep") return std::optional(Document(document));
    if (text == "prune") return std::optional<Document>();
    if (text != "descend") {
      return mongo_error(17053,
                         "$redact's expression should not return anything aside from the variables "
                         "$$KEEP, $$DESCEND, and $$PRUNE, but returned " +
                             bson::to_shell(answer));
    }
    bson::Builder builder;
    for (const bson::Element& element : document) RESTITCH_CHECK(put(element, builder));
    return std::optional(std::move(builder).finish());
  }

 private:
  Status put(const bson::Element& element, bson::Builder& builder) {
    if (element.value.type() == Type::kObject) {
      RESTITCH_TRY(const auto inner, redact(element.value.get_document()));
      if (inner) builder.append(element.name, *inner);
      return {};
    }
    if (element.value.type() == Type::kArray) {
      RESTITCH_TRY(const Document inner, redact_array(element.value.get_document()));
      builder.append_array(element.name, inner);
      return {};
    }
    builder.append(element.name, element.value);
    return {};
  }

  Result<Document> redact_array(bson::View array) {
    bson::Builder builder;
    for (const bson::Element& element : array) {
      if (element.value.type() == Type::kObject) {
        RESTITCH_TRY(const auto inner, redact(element.value.get_document()));
        if (inner) builder.push(*inner);
      } else if (element.value.type() == Type::kArray) {
        RESTITCH_TRY(const Document inner, redact_array(element.value.get_document()));
        builder.push_array(inner);
      } else {
        builder.push(element.value);
      }
    }
    return std::move(builder).finish();
  }

  const Expression& expression_;
  EvalContext& context_;
};

class RedactStage final : public DocumentStage {
 public:
  explicit RedactStage(ExpressionPtr expression) : expression_(std::move(expression)) {}

  Result<std::optional<Document>> apply(Document document, RunContext& run) const override {
    EvalContext context = run.evaluation(document);
    return Redactor(*expression_, context).redact(document);
  }

 private:
  ExpressionPtr expression_;
};

Status make_redact(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  RESTITCH_TRY(ExpressionPtr expression, compiler.expression(element.value));
  out.push_back(std::make_shared<RedactStage>(std::move(expression)));
  return {};
}

constexpr StageDefinition kStages[] = {{"$redact", make_redact, kInChangeStream}};

}  // namespace

StageTable redact_stages() { return kStages; }

}  // namespace restitch::query
