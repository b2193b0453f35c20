#include <gtest/gtest.h>

#include "query/case_file.h"
#include "query/pipeline/memory_environment.h"

namespace restitch::query {
namespace {

class PipelineCase : public testing::TestWithParam<QueryCase> {};

PipelineUse use_of(const QueryCase& test) {
  const auto use = test["use"].as_string();
  if (use == "update") return PipelineUse::kUpdate;
  if (use == "changeStream") return PipelineUse::kChangeStream;
  return PipelineUse::kAggregate;
}

// Takes what the pipeline lets an engine do and does it here.
Result<DocumentStreamPtr> serve_pushdown(Pipeline& pipeline, DocumentStreamPtr input,
                                         MemoryEnvironment& environment,
                                         const CommandContext& context) {
  const Pipeline::Pushdown pushdown = pipeline.take_pushdown();
  bson::Builder builder;
  if (!pushdown.filter.empty()) builder.push_object().append("$match", pushdown.filter).close();
  if (!pushdown.sort.empty()) builder.push_object().append("$sort", pushdown.sort).close();
  if (pushdown.skip) builder.push_object().append("$skip", *pushdown.skip).close();
  if (pushdown.limit) builder.push_object().append("$limit", *pushdown.limit).close();
  RESTITCH_TRY(const Pipeline served, Pipeline::compile(std::move(builder).finish(), context, {}));
  RESTITCH_TRY(auto stream, served.run(std::move(input), environment));
  return pipeline.run(std::move(stream), environment);
}

Result<bson::Document> read_all(DocumentStream& stream) {
  bson::Builder builder;
  while (true) {
    RESTITCH_TRY(const auto document, stream.next());
    if (!document) return std::move(builder).finish();
    builder.push(*document);
  }
}

Result<bson::Document> run_case(const QueryCase& test, const CommandContext& context,
                                MemoryEnvironment& environment, bool pushes_down) {
  PipelineOptions options;
  options.use = use_of(test);
  options.database = test["database"].as_string().value_or("d");
  options.collection = test["aggregateOne"].truthy() ? "" : "c";
  RESTITCH_TRY(Pipeline pipeline, Pipeline::compile(test.array("pipeline"), context, options));
  std::vector<bson::Document> documents;
  for (const bson::Element& element : test.array("docs"))
    documents.emplace_back(element.value.get_document());
  DocumentStreamPtr input = std::make_unique<VectorStream>(std::move(documents));
  auto stream = pushes_down ? serve_pushdown(pipeline, std::move(input), environment, context)
                            : pipeline.run(std::move(input), environment);
  if (!stream) return std::move(stream).error();
  return read_all(**stream);
}

void run_and_check(const QueryCase& test, bool pushes_down) {
  CommandContext context;
  ASSERT_NO_FATAL_FAILURE(prepare_context(test, context));
  if (const auto limit = test["memoryLimit"].as_integer()) context.memory_limit = *limit;
  MemoryEnvironment environment(context);
  for (const bson::Element& collection : test.object("collections")) {
    environment.add(std::string(collection.name), collection.value.get_document());
  }
  const auto result = run_case(test, context, environment, pushes_down);
  if (!result) return expect_error(test, result.error());
  const bson::Value array = bson::Value::array(*result);
  ASSERT_TRUE(test["error"].is_missing())
      << "the error did not come; the result is " << bson::to_json(array.view());
  if (!test["expect"].is_missing()) expect_same(array, test["expect"], "result");
  if (!test["expectCount"].is_missing()) {
    EXPECT_EQ(static_cast<std::int64_t>(result->view().count()), test["expectCount"].as_integer());
  }
  if (!test["written"].is_missing()) {
    bson::Builder written;
    for (const bson::Document& document : environment.written()) written.push(document);
    expect_same(bson::Value::array(std::move(written).finish()), test["written"], "written");
  }
  ASSERT_FALSE(test["expect"].is_missing() && test["expectCount"].is_missing() &&
               test["written"].is_missing());
}

// `pipeline` runs over `docs`; `collections` holds the foreign ones. `written` is what $out and
// $merge handed out.
TEST_P(PipelineCase, holds) { run_and_check(GetParam(), false); }

// The result is the same when the caller filters, sorts and cuts for the pipeline.
TEST_P(PipelineCase, holds_with_pushdown) {
  if (use_of(GetParam()) == PipelineUse::kAggregate) run_and_check(GetParam(), true);
}

INSTANTIATE_TEST_SUITE_P(Query, PipelineCase, testing::ValuesIn(load_query_cases("pipeline")),
                         query_case_name);
INSTANTIATE_TEST_SUITE_P(Accumulators, PipelineCase,
                         testing::ValuesIn(load_query_cases("accumulator")), query_case_name);

}  // namespace
}  // namespace restitch::query
