#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/pipeline/stage.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;

struct Facet {
  std::string name;
  Pipeline pipeline;
};

using SharedDocuments = std::shared_ptr<const std::vector<Document>>;

class SharedStream final : public DocumentStream {
 public:
  explicit SharedStream(SharedDocuments documents) : documents_(std::move(documents)) {}
  Result<std::optional<Document>> next() override {
    if (at_ == documents_->size()) return std::optional<Document>();
    return std::optional((*documents_)[at_++]);
  }

 private:
  SharedDocuments documents_;
  std::size_t at_ = 0;
};

class FacetStream final : public DocumentStream {
 public:
  FacetStream(DocumentStreamPtr input, std::span<const Facet> facets, RunPtr run)
      : input_(std::move(input)), facets_(facets), run_(std::move(run)) {}

  Result<std::optional<Document>> next() override {
    if (!input_) return std::optional<Document>();
    RESTITCH_TRY(const SharedDocuments documents, read_input());
    input_.reset();
    bson::Builder builder;
    for (const Facet& facet : facets_) {
      builder.open_array(facet.name);
      RESTITCH_CHECK(run_facet(facet, documents, builder));
      builder.close();
    }
    return std::optional(std::move(builder).finish());
  }

 private:
  Result<SharedDocuments> read_input() {
    auto documents = std::make_shared<std::vector<Document>>();
    StreamReader reader(*input_, run_->command);
    std::int64_t memory = 0;
    while (true) {
      RESTITCH_TRY(auto document, reader.next());
      if (!document) return SharedDocuments(std::move(documents));
      memory += static_cast<std::int64_t>(document->bytes().size());
      if (memory > run_->command.memory_limit) {
        return mongo_error(146, "Exceeded memory limit for $facet");
      }
      documents->push_back(std::move(*document));
    }
  }

  Status run_facet(const Facet& facet, const SharedDocuments& documents, bson::Builder& builder) {
    RESTITCH_TRY(const DocumentStreamPtr stream,
                 facet.pipeline.run(std::make_unique<SharedStream>(documents), *run_->environment,
                                    run_->variables));
    StreamReader reader(*stream, run_->command);
    while (true) {
      RESTITCH_TRY(const auto document, reader.next());
      if (!document) return {};
      builder.push(*document);
      if (static_cast<std::int64_t>(builder.size()) > run_->command.memory_limit) {
        return mongo_error(4031700, "document constructed by $facet is " +
                                        std::to_string(builder.size()) +
                                        " bytes, which exceeds the limit of " +
                                        std::to_string(run_->command.memory_limit) + " bytes");
      }
    }
  }

  DocumentStreamPtr input_;
  std::span<const Facet> facets_;
  RunPtr run_;
};

class FacetStage final : public Stage {
 public:
  explicit FacetStage(std::vector<Facet> facets) : facets_(std::move(facets)) {}
  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override {
    return DocumentStreamPtr(std::make_unique<FacetStream>(std::move(input), facets_, run));
  }
  bool is_deterministic() const override {
    for (const Facet& facet : facets_) {
      if (!facet.pipeline.is_deterministic()) return false;
    }
    return true;
  }

 private:
  std::vector<Facet> facets_;
};

Status make_facet(const bson::Element& element, const StageCompiler& compiler, Stages& out) {
  const auto object = element.value.as_object();
  if (!object || object->empty()) {
    return mongo_error(40169, "the $facet specification must be a non-empty object, but found: " +
                                  bson::to_shell(element.value));
  }
  std::vector<Facet> facets;
  for (const bson::Element& member : *object) {
    if (member.name.substr(0, 1) == "$") {
      return mongo_error(
          16410,
          "FieldPath field names may not start with '$'. Consider using $getField or "
          "$setField.");
    }
    if (member.name.find('.') != std::string_view::npos) {
      return mongo_error(16412,
                         "FieldPath field names may not contain '.'. Consider using $getField or "
                         "$setField.");
    }
    if (member.value.type() != Type::kArray) {
      return mongo_error(40170, "arguments to $facet must be arrays, " + std::string(member.name) +
                                    " is type " + type_name(member.value));
    }
    RESTITCH_TRY(Pipeline pipeline,
                 compile_sub_pipeline(
                     member.value.get_document(), compiler, compiler.options.collection,
                     compiler.options.scope,
                     {kNotInFacet | kNotInSub, 40600, "to be used within a $facet stage", false}));
    facets.push_back({std::string(member.name), std::move(pipeline)});
  }
  out.push_back(std::make_shared<FacetStage>(std::move(facets)));
  return {};
}

constexpr StageDefinition kStages[] = {{"$facet", make_facet, kNotInFacet}};

}  // namespace

StageTable facet_stages() { return kStages; }

}  // namespace restitch::query
