#include "query/pipeline/pipeline.h"

#include <gtest/gtest.h>

#include "bson/extended_json.h"
#include "query/pipeline/granularity.h"
#include "query/pipeline/memory_environment.h"

namespace restitch::query {
namespace {

using bson::Document;
using bson::Value;

Value json(std::string_view text) { return *bson::parse_json(text); }

class PipelineTest : public testing::Test {
 protected:
  Pipeline compile(std::string_view text) {
    auto pipeline = Pipeline::compile(json(text).view().get_document(), context_, {});
    EXPECT_TRUE(pipeline) << pipeline.error().message();
    return std::move(*pipeline);
  }
  Pipeline::Pushdown pushdown(std::string_view text) { return compile(text).take_pushdown(); }

  CommandContext context_;
};

std::string text_of(const Document& document) {
  return bson::to_json(document.view(), bson::JsonMode::kRelaxed);
}

TEST_F(PipelineTest, pushdown_takes_filter_sort_skip_and_limit) {
  Pipeline pipeline = compile(
      R"([{"$match": {"a": 1}}, {"$match": {"b": 2}}, {"$sort": {"c": 1}}, {"$skip": 3}, {"$skip": 1}, {"$limit": 5},
          {"$limit": 4}])");
  const Pipeline::Pushdown taken = pipeline.take_pushdown();
  EXPECT_EQ(text_of(taken.filter), R"({"$and":[{"a":1},{"b":2}]})");
  EXPECT_EQ(text_of(taken.sort), R"({"c":1})");
  EXPECT_EQ(taken.skip, 4);
  EXPECT_EQ(taken.limit, 4);
  EXPECT_FALSE(taken.count_only);
  EXPECT_TRUE(pipeline.empty());
}

TEST_F(PipelineTest, pushdown_stops_at_a_limit_in_front_of_a_sort) {
  Pipeline pipeline = compile(R"([{"$limit": 5}, {"$sort": {"c": 1}}])");
  const Pipeline::Pushdown taken = pipeline.take_pushdown();
  EXPECT_EQ(taken.limit, 5);
  EXPECT_TRUE(taken.sort.empty());
  EXPECT_FALSE(pipeline.empty());
}

TEST_F(PipelineTest, a_filter_moves_in_front_of_what_it_cannot_notice) {
  for (const char* stage :
       {R"({"$sort": {"b": 1}})", R"({"$addFields": {"b": 1}})", R"({"$project": {"a": 1}})",
        R"({"$unset": "b"})", R"({"$unwind": "$b"})",
        R"({"$lookup": {"from": "f", "localField": "x", "foreignField": "y", "as": "b"}})"}) {
    const auto taken = pushdown("[" + std::string(stage) + R"(, {"$match": {"a": 1}}])");
    EXPECT_EQ(text_of(taken.filter), R"({"a":1})") << stage;
  }
}

TEST_F(PipelineTest, a_filter_stays_behind_what_it_would_notice) {
  for (const char* stage :
       {R"({"$limit": 1})", R"({"$skip": 1})", R"({"$addFields": {"a.b": 1}})",
        R"({"$project": {"b": 1}})", R"({"$project": {"a": "$b"}})", R"({"$project": {"a": 0}})",
        R"({"$unwind": "$a"})", R"({"$unset": "a"})", R"({"$group": {"_id": "$a"}})",
        R"({"$sample": {"size": 1}})", R"({"$redact": "$$KEEP"})", R"({"$unionWith": "f"})",
        R"({"$replaceWith": "$x"})"}) {
    EXPECT_TRUE(pushdown("[" + std::string(stage) + R"(, {"$match": {"a": 1}}])").filter.empty())
        << stage;
  }
}

TEST_F(PipelineTest, counting_needs_no_contents) {
  EXPECT_TRUE(pushdown(R"([{"$match": {"a": 1}}, {"$count": "n"}])").count_only);
  EXPECT_TRUE(pushdown(R"([{"$group": {"_id": null, "n": {"$sum": 1}}}])").count_only);
  EXPECT_FALSE(pushdown(R"([{"$group": {"_id": null, "n": {"$sum": "$a"}}}])").count_only);
  EXPECT_FALSE(pushdown(R"([{"$group": {"_id": "$a", "n": {"$sum": 1}}}])").count_only);
  EXPECT_FALSE(pushdown(R"([{"$project": {"a": 1}}, {"$count": "n"}])").count_only);
}

TEST_F(PipelineTest, a_filter_with_outer_variables_stays) {
  PipelineOptions options;
  std::size_t slot = 0;
  options.scope = *VariableScope().with("x", &slot);
  const Value stages =
      json(R"([{"$match": {"a": 1}}, {"$match": {"$expr": {"$eq": ["$b", "$$x"]}}}])");
  auto pipeline = Pipeline::compile(stages.view().get_document(), context_, options);
  ASSERT_TRUE(pipeline);
  EXPECT_EQ(text_of(pipeline->take_pushdown().filter), R"({"a":1})");
  EXPECT_FALSE(pipeline->empty());
  MemoryEnvironment environment(context_);
  std::vector<Document> documents = {*bson::parse_json_document(R"({"b": 1})"),
                                     *bson::parse_json_document(R"({"b": 2})")};
  std::vector<Value> variables;
  variables.push_back(Value::of(std::int32_t{2}));
  auto stream = pipeline->run(std::make_unique<VectorStream>(std::move(documents)), environment,
                              std::move(variables));
  EXPECT_EQ(text_of(**(*stream)->next()), R"({"b":2})");
  EXPECT_FALSE(*(*stream)->next());
}

TEST_F(PipelineTest, a_stream_outlives_its_pipeline) {
  MemoryEnvironment environment(context_);
  std::vector<Document> documents = {*bson::parse_json_document(R"({"a": [1, 2]})")};
  DocumentStreamPtr stream;
  {
    const Pipeline pipeline = compile(R"([{"$unwind": "$a"}, {"$sort": {"a": -1}}])");
    stream = *pipeline.run(std::make_unique<VectorStream>(std::move(documents)), environment);
  }
  EXPECT_EQ(text_of(**stream->next()), R"({"a":2})");
  EXPECT_EQ(text_of(**stream->next()), R"({"a":1})");
  EXPECT_FALSE(*stream->next());
}

TEST_F(PipelineTest, transform_changes_one_document) {
  PipelineOptions options;
  options.use = PipelineUse::kUpdate;
  const Value stages = json(R"([{"$set": {"b": "$a"}}, {"$replaceWith": {"c": "$b"}}])");
  const auto pipeline = Pipeline::compile(stages.view().get_document(), context_, options);
  EXPECT_EQ(text_of(*pipeline->transform(*bson::parse_json_document(R"({"a": 5})"))), R"({"c":5})");
}

TEST_F(PipelineTest, equality_lookups_share_queries) {
  MemoryEnvironment environment(context_);
  environment.add("f", json(R"([{"_id": 1}, {"_id": 2}])").view().get_document());
  std::vector<Document> documents(100, *bson::parse_json_document(R"({"k": 1})"));
  const Pipeline pipeline = compile(
      R"([{"$lookup": {"from": "f", "localField": "k", "foreignField": "_id", "as": "r"}}])");
  auto stream = pipeline.run(std::make_unique<VectorStream>(std::move(documents)), environment);
  int count = 0;
  while (true) {
    const auto document = (*stream)->next();
    ASSERT_TRUE(document);
    if (!*document) break;
    EXPECT_EQ((**document)["r"].get_document().count(), 1U);
    ++count;
  }
  EXPECT_EQ(count, 100);
  EXPECT_LT(environment.opened(), 6);
}

TEST_F(PipelineTest, uncorrelated_lookups_read_the_collection_once) {
  MemoryEnvironment environment(context_);
  environment.add("f", json(R"([{"_id": 1}])").view().get_document());
  std::vector<Document> documents(10, *bson::parse_json_document(R"({"k": 1})"));
  const Pipeline pipeline = compile(
      R"([{"$lookup": {"from": "f", "let": {"k": "$k"}, "pipeline": [{"$match": {"_id": 1}}], "as": "r"}}])");
  auto stream = pipeline.run(std::make_unique<VectorStream>(std::move(documents)), environment);
  while (*(*stream)->next()) {
  }
  EXPECT_EQ(environment.opened(), 1);
}

TEST_F(PipelineTest, a_passed_deadline_ends_the_run) {
  context_.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  MemoryEnvironment environment(context_);
  std::vector<Document> documents(1000, *bson::parse_json_document(R"({"k": 1})"));
  const Pipeline pipeline = compile(R"([{"$group": {"_id": "$k"}}])");
  auto stream = pipeline.run(std::make_unique<VectorStream>(std::move(documents)), environment);
  const auto document = (*stream)->next();
  ASSERT_FALSE(document);
  EXPECT_EQ(document.error().mongo_code(), 50);
}

TEST_F(PipelineTest, a_group_with_two_ids_is_refused) {
  bson::Builder builder;
  builder.push_object()
      .open_object("$group")
      .append("_id", std::int32_t{1})
      .append("_id", std::int32_t{2});
  const auto pipeline = Pipeline::compile(std::move(builder).finish(), context_, {});
  ASSERT_FALSE(pipeline);
  EXPECT_EQ(pipeline.error().mongo_code(), 15948);
}

TEST_F(PipelineTest, sources_and_writers_are_told) {
  EXPECT_TRUE(compile(R"([{"$documents": [{"a": 1}]}])").starts_with_source());
  EXPECT_TRUE(compile(R"([{"$match": {}}, {"$out": "t"}])").writes());
  EXPECT_FALSE(compile(R"([{"$match": {}}])").writes());
}

TEST(Granularity, rounds_to_neighbours_in_the_series) {
  const auto r5 = *Granularity::find("R5");
  EXPECT_DOUBLE_EQ(r5->round_up(0.4), 0.63);
  EXPECT_DOUBLE_EQ(r5->round_up(7), 10);
  EXPECT_DOUBLE_EQ(r5->round_down(1), 0.63);
  EXPECT_DOUBLE_EQ(r5->round_down(26), 25);
  const auto e24 = *Granularity::find("E24");
  EXPECT_DOUBLE_EQ(e24->round_up(92), 100);
  EXPECT_DOUBLE_EQ(e24->round_down(95), 91);
  const auto plain = *Granularity::find("1-2-5");
  EXPECT_DOUBLE_EQ(plain->round_up(5), 10);
  EXPECT_DOUBLE_EQ(plain->round_down(5), 2);
  const auto powers = *Granularity::find("POWERSOF2");
  EXPECT_DOUBLE_EQ(powers->round_up(8), 16);
  EXPECT_DOUBLE_EQ(powers->round_down(9), 8);
}

}  // namespace
}  // namespace restitch::query
