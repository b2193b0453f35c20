#pragma once

#include <map>
#include <string>
#include <vector>

#include "query/pipeline/pipeline.h"
#include "query/pipeline/stage.h"

namespace restitch::query {

// Collections in memory, for tests. What $out and $merge write is kept apart.
class MemoryEnvironment final : public PipelineEnvironment {
 public:
  explicit MemoryEnvironment(const CommandContext& context) : context_(context) {}

  void add(const std::string& collection, bson::View documents) {
    for (const bson::Element& element : documents) {
      collections_[collection].emplace_back(element.value.get_document());
    }
  }

  Result<DocumentStreamPtr> open(std::string_view, std::string_view collection,
                                 bson::View filter) override {
    ++opened_;
    RESTITCH_TRY(const Filter compiled, Filter::compile(filter, context_));
    std::vector<bson::Document> found;
    for (const bson::Document& document : collections_[std::string(collection)]) {
      RESTITCH_TRY(const bool matches, compiled.matches(document));
      if (matches) found.push_back(document);
    }
    return DocumentStreamPtr(std::make_unique<VectorStream>(std::move(found)));
  }

  Status out(std::string_view database, std::string_view collection,
             DocumentStream& input) override {
    bson::Builder builder;
    builder.append("out", std::string(database) + "." + std::string(collection));
    builder.open_array("documents");
    while (true) {
      RESTITCH_TRY(const auto document, input.next());
      if (!document) break;
      builder.push(*document);
    }
    written_.push_back(std::move(builder).finish());
    return {};
  }

  Status merge(const MergeSpec& spec, bson::View document, bson::View let_values) override {
    bson::Builder builder;
    builder.append("merge", spec.database + "." + spec.collection);
    builder.append("document", document);
    if (!let_values.empty()) builder.append("let", let_values);
    written_.push_back(std::move(builder).finish());
    return {};
  }

  Result<std::vector<bson::Document>> statistics(std::string_view stage, bson::View spec) override {
    std::vector<bson::Document> documents;
    documents.push_back(bson::make_document(stage.substr(1), spec));
    return documents;
  }

  const std::vector<bson::Document>& written() const { return written_; }
  int opened() const { return opened_; }

 private:
  const CommandContext& context_;
  std::map<std::string, std::vector<bson::Document>> collections_;
  std::vector<bson::Document> written_;
  int opened_ = 0;
};

}  // namespace restitch::query
