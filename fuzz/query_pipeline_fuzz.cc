#include "query/pipeline/memory_environment.h"
#include "query_input.h"

// A pipeline and documents, a line each; the documents are those of every other collection, too.
// Results are well-formed, and the memory limit and the deadline hold.
namespace {

using namespace restitch;

void run(const query::Pipeline& pipeline, std::vector<bson::Document> documents,
         query::MemoryEnvironment& environment) {
  auto stream =
      pipeline.run(std::make_unique<query::VectorStream>(std::move(documents)), environment);
  if (!stream) return;
  constexpr int kMostResults = 10000;
  for (int count = 0; count < kMostResults; ++count) {
    const auto document = (*stream)->next();
    if (!document || !*document) return;
    fuzz::check_document(**document);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto lines = fuzz::lines_of(fuzz::text_of(data, size), 12);
  if (!lines || lines->empty()) return 0;
  const auto stages = lines->front().view().as_array();
  if (!stages) return 0;
  const query::CommandContext context = fuzz::small_context();
  query::MemoryEnvironment environment(context);
  std::vector<bson::Document> documents;
  bson::Builder collection;
  for (std::size_t i = 1; i < lines->size(); ++i) {
    documents.emplace_back(fuzz::object_in(*lines, i));
    collection.push(documents.back());
  }
  environment.add("f", std::move(collection).finish());
  for (const auto use : {query::PipelineUse::kAggregate, query::PipelineUse::kUpdate}) {
    query::PipelineOptions options;
    options.use = use;
    options.database = "d";
    options.collection = "c";
    const auto pipeline = query::Pipeline::compile(*stages, context, options);
    if (!pipeline) continue;
    if (use == query::PipelineUse::kAggregate) {
      run(*pipeline, documents, environment);
      continue;
    }
    for (const bson::Document& document : documents) {
      const auto changed = pipeline->transform(document);
      if (changed) fuzz::check_document(*changed);
    }
  }
  return 0;
}
