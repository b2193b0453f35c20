#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/pipeline/stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::ValueView;

struct UnionSpec {
  std::string database;
  std::string collection;  // empty: the pipeline brings its own documents
  Pipeline pipeline;
  Document filter;
};

class UnionStream final : public DocumentStream {
 public:
  UnionStream(DocumentStreamPtr input, const UnionSpec& spec, RunPtr run)
      : input_(std::move(input)), spec_(spec), run_(std::move(run)) {}

  Result<std::optional<Document>> next() override {
    while (true) {
      RESTITCH_TRY(auto document, input_->next());
      if (document || is_second_) return document;
      is_second_ = true;
      DocumentStreamPtr other;
      if (!spec_.pipeline.starts_with_source()) {
        RESTITCH_TRY(other,
                     run_->environment->open(spec_.database, spec_.collection, spec_.filter));
      }
      RESTITCH_TRY(input_,
                   spec_.pipeline.run(std::move(other), *run_->environment, run_->variables));
    }
  }

 private:
  DocumentStreamPtr input_;
  const UnionSpec& spec_;
  RunPtr run_;
  bool is_second_ = false;
};

class UnionStage final : public Stage {
 public:
  explicit UnionStage(UnionSpec spec) : spec_(std::move(spec)) {}
  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override {
    return DocumentStreamPtr(std::make_unique<UnionStream>(std::move(input), spec_, run));
  }
  bool is_deterministic() const override { return spec_.pipeline.is_deterministic(); }

 private:
  UnionSpec spec_;
};

Status make_union(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  UnionSpec spec;
  spec.database = compiler.options.database;
  bson::Value stages = bson::Value::array(bson::View());
  if (const auto name = element.value.as_string()) {
    spec.collection = *name;
  } else if (const auto object = element.value.as_object()) {
    for (const bson::Element& option : *object) {
      if (option.name == "coll" && option.value.type() == Type::kString) {
        spec.collection = option.value.get_string();
      } else if (option.name == "pipeline" && option.value.type() == Type::kArray) {
        stages = bson::Value(option.value);
      } else if (option.name == "coll" || option.name == "pipeline") {
        return mongo_error(14, "BSON field '$unionWith." + std::string(option.name) +
                                   "' is the wrong type '" + type_name(option.value) +
                                   "', expected type '" +
                                   (option.name == "coll" ? "string" : "array") + "'");
      } else {
        return mongo_error(
            40415, "BSON field '$unionWith." + std::string(option.name) + "' is an unknown field.");
      }
    }
  } else {
    return mongo_error(
        9, "the $unionWith stage specification must be an object or string, but found " +
               type_name(element.value));
  }
  RESTITCH_TRY(spec.pipeline,
               compile_sub_pipeline(stages.view().get_document(), compiler, spec.collection,
                                    compiler.options.scope,
                                    {kNotInSub, 31441, "within a $unionWith's sub-pipeline"}));
  if (spec.collection.empty() && !spec.pipeline.starts_with_source()) {
    return mongo_error(
        9,
        "$unionWith stage without explicit collection must have a pipeline with $documents "
        "as first stage");
  }
  spec.filter = spec.pipeline.take_filter();
  out.push_back(std::make_shared<UnionStage>(std::move(spec)));
  return {};
}

constexpr StageDefinition kStages[] = {{"$unionWith", make_union}};

}  // namespace

StageTable union_stages() { return kStages; }

}  // namespace restitch::query
