#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>

#include "bson/extended_json.h"
#include "query/filter/filter.h"
#include "query/pipeline/memory_environment.h"
#include "query/projection.h"
#include "query/regex.h"
#include "query/update/update.h"

// What a client may write in 16 MB must neither take unbounded memory nor unbounded time.
namespace restitch::query {
namespace {

using bson::Document;
using bson::Value;

Value json(const std::string& text) { return *bson::parse_json(text); }

class Bounds : public testing::Test {
 protected:
  // The error code of evaluating an expression, 0 if there is none.
  int evaluate(const std::string& spec, const Document& document = Document()) {
    const Value parsed = json(spec);
    const auto compiled = Expression::compile(parsed, context_, VariableScope());
    if (!compiled) return compiled.error().mongo_code();
    const auto value = (*compiled)->evaluate(document, context_);
    return value ? 0 : value.error().mongo_code();
  }

  int compile(const std::string& stages) {
    const Value parsed = json(stages);
    PipelineOptions options;
    options.database = "d";
    options.collection = "c";
    const auto compiled = Pipeline::compile(parsed.view().get_document(), context_, options);
    return compiled ? 0 : compiled.error().mongo_code();
  }

  // Runs a pipeline and counts what comes out; an error code is given as a negative number.
  int run(const std::string& stages, std::vector<Document> documents,
          MemoryEnvironment& environment) {
    const Value parsed = json(stages);
    const auto pipeline = Pipeline::compile(parsed.view().get_document(), context_, {});
    if (!pipeline) return -pipeline.error().mongo_code();
    auto stream = pipeline->run(std::make_unique<VectorStream>(std::move(documents)), environment);
    if (!stream) return -stream.error().mongo_code();
    for (int count = 0;; ++count) {
      const auto document = (*stream)->next();
      if (!document) return -document.error().mongo_code();
      if (!*document) return count;
      const auto heap = mallinfo2();
      most_bytes_ = std::max(most_bytes_, heap.uordblks + heap.hblkhd);
    }
  }

  CommandContext context_;
  std::size_t most_bytes_ =
      0;  // on the heap while a pipeline ran; 0 where the allocator does not tell
};

constexpr int kMemory = 146;

std::string repeat(const std::string& text, int times, const std::string& separator = "") {
  std::string out;
  for (int i = 0; i < times; ++i) out += (i == 0 ? "" : separator) + text;
  return out;
}

TEST_F(Bounds, doubling_a_string_ends_at_the_memory_limit) {
  std::string spec = R"("$$x")";
  for (int i = 0; i < 40; ++i) {
    spec = R"({"$let": {"vars": {"x": {"$concat": ["$$x", "$$x"]}}, "in": )" + spec + "}}";
  }
  EXPECT_EQ(evaluate(R"({"$let": {"vars": {"x": "$a"}, "in": )" + spec + "}}",
                     bson::make_document("a", "0123456789")),
            kMemory);
}

TEST_F(Bounds, growth_inside_reduce_ends_at_the_memory_limit) {
  EXPECT_EQ(evaluate(R"({"$reduce": {"input": {"$range": [0, 100]}, "initialValue": "x",
                        "in": {"$concat": ["$$value", "$$value"]}}})"),
            kMemory);
  EXPECT_EQ(evaluate(R"({"$reduce": {"input": {"$range": [0, 100]}, "initialValue": [1],
                        "in": {"$concatArrays": ["$$value", "$$value"]}}})"),
            kMemory);
}

TEST_F(Bounds, multiplying_operators_end_at_the_memory_limit) {
  const Document large = bson::make_document("a", std::string(1 << 20, 'x'));
  EXPECT_EQ(evaluate(R"({"$map": {"input": {"$range": [0, 1000]}, "in": "$a"}})", large), kMemory);
  EXPECT_EQ(
      evaluate(R"({"$replaceAll": {"input": "$a", "find": "x", "replacement": "$a"}})", large),
      kMemory);
  EXPECT_EQ(evaluate("[" + repeat(R"("$a")", 200, ",") + "]", large), kMemory);
  EXPECT_EQ(evaluate(R"({"$concat": [)" + repeat(R"("$a")", 200, ",") + "]}", large), kMemory);
  EXPECT_EQ(evaluate(R"({"$zip": {"inputs": [)" + repeat(R"(["$a"])", 200, ",") + "]}}", large),
            kMemory);
  EXPECT_EQ(evaluate(R"({"$range": [0, 2147483647]})"), kMemory);
}

TEST_F(Bounds, values_that_are_alive_together_count_together) {
  // Each is under the limit.
  const std::string big = R"({"$concat": ["$a", "$a", "$a", "$a", "$a", "$a", "$a", "$a"]})";
  const Document large = bson::make_document("a", std::string(4 << 20, 'x'));
  EXPECT_EQ(evaluate(R"({"$strLenBytes": )" + big + "}", large), 0);
  EXPECT_EQ(evaluate(R"({"$eq": [[)" + big + "," + big + "], [" + big + "," + big + "]]}", large),
            kMemory);
  EXPECT_EQ(evaluate(R"({"$let": {"vars": {"x": )" + big + R"(, "y": )" + big + R"(, "z": )" + big +
                         R"(, "w": )" + big + R"(}, "in": 1}})",
                     large),
            kMemory);
}

TEST_F(Bounds, large_constants_are_not_kept_in_compiled_pipelines) {
  const std::string stage = R"({"$set": {"a": {"$size": {"$range": [0, 1000000]}}}})";
  MemoryEnvironment environment(context_);
  EXPECT_EQ(run("[" + repeat(stage, 20, ",") + "]", {Document()}, environment), 1);
}

TEST_F(Bounds, find_all_of_many_captures_ends) {
  const Document large = bson::make_document("a", std::string(1 << 16, 'x'));
  EXPECT_EQ(evaluate(R"({"$regexFindAll": {"input": "$a", "regex": ")" + repeat("(", 200) + ".*" +
                         repeat(")", 200) + R"("}})",
                     large),
            0);
  EXPECT_EQ(
      evaluate(R"({"$regexFindAll": {"input": "$a", "regex": "(?=((((((((((.*)))))))))))."}})",
               large),
      51151);
}

TEST_F(Bounds, pathological_patterns_end_quickly) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* pattern :
       {"(a+)+$", "(a|a)*$", "(a*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$", "(.*)*(.*)*(.*)*x"}) {
    const auto regex = Regex::compile(pattern, "");
    ASSERT_TRUE(regex) << pattern;
    EXPECT_FALSE(regex->matches(std::string(50000, 'a') + "!")) << pattern;
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(Bounds, a_pipeline_has_at_most_a_thousand_stages) {
  const std::string stage = R"({"$match": {"a": 1}})";
  EXPECT_EQ(compile("[" + repeat(stage, 1000, ",") + "]"), 0);
  EXPECT_EQ(compile("[" + repeat(stage, 1001, ",") + "]"), 7749501);
  EXPECT_EQ(compile(R"([{"$lookup": {"from": "f", "as": "r", "pipeline": [)" +
                    repeat(stage, 1001, ",") + "]}}]"),
            7749501);
}

std::string nested_lookups(int depth, const std::string& around) {
  std::string stages;
  for (int i = 0; i < depth; ++i) {
    stages = around + R"({"$lookup": {"from": "f", "let": {"x": "$a"}, "as": "r", "pipeline": [)" +
             stages + "]}}";
  }
  return "[" + stages + "]";
}

TEST_F(Bounds, sub_pipelines_nest_twenty_deep_and_compile_in_linear_time) {
  const auto start = std::chrono::steady_clock::now();
  const std::string before =
      R"({"$match": {"$expr": {"$eq": ["$a", "$$NOW"]}}}, {"$set": {"b": 1}}, )";
  EXPECT_EQ(compile(nested_lookups(20, before)), 0);
  EXPECT_EQ(compile(nested_lookups(21, before)), 232);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(Bounds, deeply_nested_long_pipelines_do_not_exhaust_the_stack) {
  std::string before;
  for (int i = 0; i < 499; ++i) before += R"({"$unwind": "$a"}, {"$skip": 0}, )";
  MemoryEnvironment environment(context_);
  environment.add("f", json(R"([{"_id": 1, "a": 1}])").view().get_document());
  EXPECT_EQ(run(nested_lookups(20, before), {bson::make_document("a", 1)}, environment), 1);
}

TEST_F(Bounds, equality_lookups_do_not_hold_the_cross_product) {
  MemoryEnvironment environment(context_);
  bson::Builder foreign;
  for (int i = 0; i < 64; ++i) {
    foreign.push(bson::make_document("s", std::string(200000, 'x')));
  }
  environment.add("f", std::move(foreign).finish());
  // 12.8 MB for each of 40 documents: 512 MB if all were held at once.
  const std::string stage =
      R"({"$lookup": {"from": "f", "localField": "k", "foreignField": "k", "as": "r"}}, {"$set": {"r": {"$size": "$r"}}})";
  EXPECT_EQ(run("[" + stage + "]", std::vector<Document>(40), environment), 40);
  EXPECT_LT(most_bytes_, 100U << 20U);
}

TEST_F(Bounds, lookups_of_more_than_a_document_holds_are_refused) {
  MemoryEnvironment environment(context_);
  bson::Builder foreign;
  for (int i = 0; i < 100; ++i) foreign.push(bson::make_document("s", std::string(200000, 'x')));
  environment.add("f", std::move(foreign).finish());
  EXPECT_EQ(
      run(R"([{"$lookup": {"from": "f", "localField": "k", "foreignField": "k", "as": "r"}}])",
          std::vector<Document>(3), environment),
      -4568);
  EXPECT_EQ(run(R"([{"$lookup": {"from": "f", "localField": "k", "foreignField": "k", "as": "r",
                     "pipeline": [{"$group": {"_id": null, "n": {"$sum": {"$strLenBytes": "$s"}}}}]}}])",
                std::vector<Document>(3), environment),
            3);
}

TEST_F(Bounds, windows_do_not_hold_the_results_of_all_documents) {
  // Each document's window holds all of them: 3000 arrays of 3000 elements, 100 MB.
  std::vector<Document> documents;
  for (int i = 0; i < 3000; ++i) documents.push_back(bson::make_document("a", i));
  MemoryEnvironment environment(context_);
  EXPECT_EQ(
      run(R"([{"$setWindowFields": {"output": {"all": {"$push": "$a"}}}}, {"$unset": "all"}])",
          std::move(documents), environment),
      3000);
  EXPECT_LT(most_bytes_, 30U << 20U);
}

TEST_F(Bounds, window_functions_count_what_they_hold) {
  std::string output;
  for (int i = 0; i < 300; ++i) {
    output += (i == 0 ? "" : ",") + ("\"f" + std::to_string(i)) +
              R"(": {"$covariancePop": ["$a", "$a"]})";
  }
  std::vector<Document> documents;
  for (int i = 0; i < 10000; ++i) documents.push_back(bson::make_document("a", i));
  MemoryEnvironment environment(context_);
  EXPECT_EQ(run(R"([{"$setWindowFields": {"output": {)" + output + "}}}]", std::move(documents),
                environment),
            -5414201);
}

TEST_F(Bounds, outputs_beyond_sixteen_megabytes_are_refused) {
  MemoryEnvironment environment(context_);
  const std::vector<Document> documents(20, bson::make_document("a", std::string(1 << 20, 'x')));
  EXPECT_EQ(run(R"([{"$group": {"_id": null, "all": {"$push": "$a"}}}])", documents, environment),
            -10334);
  EXPECT_EQ(run(R"([{"$facet": {"all": [{"$match": {}}]}}])", documents, environment), -10334);
  EXPECT_EQ(run(R"([{"$facet": {"all": [{"$match": {}}]}}, {"$unwind": "$all"}])", documents,
                environment),
            20);
  const std::vector<Document> many(120, documents.front());
  EXPECT_EQ(run(R"([{"$group": {"_id": null, "all": {"$push": "$a"}}}])", many, environment),
            -kMemory);
}

TEST_F(Bounds, wide_specifications_compile_in_linear_time) {
  constexpr int kCount = 30000;
  const auto start = std::chrono::steady_clock::now();
  bson::Builder fields;
  bson::Builder variables;
  bson::Builder values;
  bson::Builder pairs;
  for (int i = 0; i < kCount; ++i) {
    const std::string name = "f" + std::to_string(i);
    fields.append(name, std::int32_t{1});
    variables.append(name, "$a");
    values.push(i);
    pairs.push_object().append("k", name).append("v", i).close();
  }
  const Document object = std::move(fields).finish();
  const Value list = Value::array(std::move(values).finish());
  const auto in =
      Filter::compile(bson::make_document("a", bson::make_document("$in", list.view())), context_);
  ASSERT_TRUE(in);
  EXPECT_TRUE(*in->matches(bson::make_document("a", list.view())));
  EXPECT_TRUE(Filter::compile(object, context_));
  EXPECT_TRUE(Projection::compile(object, ProjectionDialect::kFind, context_));
  EXPECT_TRUE(Expression::compile(Value::of(object), context_, VariableScope()));
  bson::Builder let;
  let.open_object("$let")
      .append("vars", std::move(variables).finish())
      .append("in", "$$f7")
      .close();
  EXPECT_TRUE(Expression::compile(Value::of(std::move(let).finish()), context_, VariableScope()));
  const auto update = Update::compile(Value::of(bson::make_document("$set", object)), context_, {});
  ASSERT_TRUE(update);
  EXPECT_TRUE(update->apply(bson::make_document("_id", 1), MatchDetails()));
  const Document document =
      bson::make_document("p", Value::array(std::move(pairs).finish()).view());
  EXPECT_TRUE(
      Expression::compile(
          json(R"({"$mergeObjects": [{"$arrayToObject": "$p"}, {"$arrayToObject": "$p"}]})"),
          context_, VariableScope())
          .value()
          ->evaluate(document, context_));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
}

TEST_F(Bounds, a_passed_deadline_ends_nested_loops) {
  context_.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  std::string spec = "1";
  for (int i = 0; i < 8; ++i) spec = R"({"$map": {"input": "$a", "in": )" + spec + "}}";
  bson::Builder builder;
  for (int i = 0; i < 100; ++i) builder.push(i);
  const Document document =
      bson::make_document("a", Value::array(std::move(builder).finish()).view());
  EXPECT_EQ(
      evaluate(R"({"$size": {"$filter": {"input": "$a", "cond": {"$ne": [)" + spec + ", 1]}}}}",
               document),
      50);
}

TEST_F(Bounds, a_passed_deadline_ends_lookups_that_find_little) {
  context_.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  MemoryEnvironment environment(context_);
  environment.add("f", json(R"([{"_id": 1}])").view().get_document());
  EXPECT_EQ(run(R"([{"$lookup": {"from": "f", "let": {"k": "$k"}, "as": "r",
                     "pipeline": [{"$match": {"$expr": {"$eq": ["$_id", "$$k"]}}}]}}])",
                std::vector<Document>(500), environment),
            -50);
}

}  // namespace
}  // namespace restitch::query
