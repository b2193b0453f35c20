#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/pipeline/stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

class DocumentsStage final : public Stage {
 public:
  explicit DocumentsStage(ExpressionPtr documents) : documents_(std::move(documents)) {}

  Result<DocumentStreamPtr> open(DocumentStreamPtr, const RunPtr& run) const override {
    const bson::View nothing;
    EvalContext context = run->evaluation(nothing);
    Value storage;
    RESTITCH_TRY(const ValueView value, documents_->peek(context, storage));
    const auto array = value.as_array();
    if (!array) return mongo_error(5858203, "an array is expected");
    std::vector<Document> documents;
    for (const bson::Element& element : *array) {
      const auto object = element.value.as_object();
      if (!object) {
        return mongo_error(
            40228,
            "'replacement document' expression must evaluate to an object, but resulting "
            "value was: " +
                bson::to_shell(element.value) + ". Type of resulting value: '" +
                type_name(element.value) + "'");
      }
      documents.emplace_back(*object);
    }
    return DocumentStreamPtr(std::make_unique<VectorStream>(std::move(documents)));
  }
  bool is_source() const override { return true; }

 private:
  ExpressionPtr documents_;
};

class StatisticsStage final : public Stage {
 public:
  StatisticsStage(std::string name, Document spec)
      : name_(std::move(name)), spec_(std::move(spec)) {}

  Result<DocumentStreamPtr> open(DocumentStreamPtr, const RunPtr& run) const override {
    RESTITCH_TRY(auto documents, run->environment->statistics(name_, spec_));
    return DocumentStreamPtr(std::make_unique<VectorStream>(std::move(documents)));
  }
  bool is_source() const override { return true; }

 private:
  std::string name_;
  Document spec_;
};

Status make_documents(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  if (compiler.options.use == PipelineUse::kAggregate && !compiler.options.collection.empty()) {
    return mongo_error(73, "$documents can only be run with {aggregate: 1}");
  }
  RESTITCH_TRY(ExpressionPtr documents, compiler.expression(element.value));
  out.push_back(std::make_shared<DocumentsStage>(std::move(documents)));
  return {};
}

Status make_statistics(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const std::string name(element.name);
  const auto spec = element.value.as_object();
  if (!spec && name == "$collStats") {
    return mongo_error(5447000, "$collStats must take a nested object but found: $collStats: " +
                                    bson::to_shell(element.value));
  }
  if (name == "$indexStats" && !(spec && spec->empty())) {
    return mongo_error(28803, "The $indexStats stage specification must be an empty object");
  }
  if (!spec) {
    return mongo_error(9, name + " options must be specified in an object, but found: " +
                              type_name(element.value));
  }
  if (name == "$currentOp" &&
      (compiler.options.database != "admin" || !compiler.options.collection.empty())) {
    return mongo_error(73,
                       "$currentOp must be run against the 'admin' database with {aggregate: 1}");
  }
  out.push_back(std::make_shared<StatisticsStage>(name, Document(*spec)));
  return {};
}

Status refuse_search(const bson::Element&, const StageCompiler&, Stages&) {
  return mongo_error(31082, std::string(kSearchNotEnabled));
}

// There are no geospatial indexes.
Status refuse_geo_near(const bson::Element& element, const StageCompiler&, Stages&) {
  const auto spec = element.value.as_object();
  if (!spec) return mongo_error(10065, "$geoNear must take an object");
  if (!spec->find("distanceField").as_string()) {
    return mongo_error(16606, "$geoNear requires that the 'distanceField' option as a String");
  }
  return mongo_error(27, "$geoNear requires a 2d or 2dsphere index, but none were found");
}

// The engine takes $changeStream off the front before it compiles the rest.
Status refuse_change_stream(const bson::Element&, const StageCompiler&, Stages&) {
  return mongo_error(40573, "The $changeStream stage is only supported on replica sets");
}

Status refuse_split(const bson::Element& element, const StageCompiler&, Stages&) {
  return mongo_error(
      20, std::string(element.name) + " can only be used in a $changeStream pipeline");
}

constexpr std::uint32_t kStatistics = kFirstOnly | kNotInFacet;
constexpr StageDefinition kStages[] = {
    {"$documents", make_documents, kFirstOnly | kNotInFacet},
    {"$collStats", make_statistics, kStatistics},
    {"$indexStats", make_statistics, kStatistics},
    {"$currentOp", make_statistics, kStatistics},
    {"$planCacheStats", make_statistics, kStatistics},
    {"$listSessions", make_statistics, kStatistics},
    {"$listLocalSessions", make_statistics, kStatistics},
    {"$changeStream", refuse_change_stream, kFirstOnly | kNotInFacet | kNotInSub},
    {"$changeStreamSplitLargeEvent", refuse_split},
    {"$geoNear", refuse_geo_near, kFirstOnly | kNotInFacet},
    {"$search", refuse_search},
    {"$searchMeta", refuse_search},
    {"$vectorSearch", refuse_search},
    {"$listSearchIndexes", refuse_search},
};

}  // namespace

StageTable source_stages() { return kStages; }

}  // namespace restitch::query
