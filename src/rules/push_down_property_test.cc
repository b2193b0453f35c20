#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "bson/extended_json.h"
#include "query/filter/filter.h"
#include "rules/expression.h"
#include "rules/testing/case_reader.h"

namespace restitch::rules {
namespace {

// Random expressions and documents over few names and values, so that they meet often.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : random_(seed) {}

  std::string document() {
    std::string text = R"({"_id":1)";
    for (const char* name : {"a", "b", "c", "0"}) {
      if (chance(3)) continue;
      text += ",\"" + std::string(name) + "\":" + value(2);
    }
    return text + "}";
  }

  std::string expression(int depth) {
    if (depth > 0 && chance(2)) {
      static const std::vector<std::string> kOps{"%and", "%or", "%nor", "$and", "$or"};
      return "{\"" + pick(kOps) + "\":[" + expression(depth - 1) + "," + expression(depth - 1) +
             "]}";
    }
    if (depth > 0 && chance(4)) return "{\"%not\":" + expression(depth - 1) + "}";
    std::string text = "{" + member();
    if (chance(4)) text += "," + member();
    return text + "}";
  }

 private:
  bool chance(int one_in) { return random_() % static_cast<std::uint32_t>(one_in) == 0; }
  const std::string& pick(const std::vector<std::string>& from) {
    return from[random_() % from.size()];
  }

  std::string scalar() {
    static const std::vector<std::string> kScalars{"1",
                                                   "2",
                                                   "1.5",
                                                   "\"x\"",
                                                   "\"y\"",
                                                   "true",
                                                   "null",
                                                   R"({"$numberLong":"1"})",
                                                   "[]",
                                                   R"({"$oid":"5f4863e4d49bd2191ff1e623"})",
                                                   R"({"$numberDouble":"NaN"})",
                                                   R"({"$numberDecimal":"1"})",
                                                   R"({"$date":"2020-01-01T00:00:00Z"})"};
    return pick(kScalars);
  }

  std::string value(int depth) {
    if (depth > 0 && chance(3)) {
      return "[" + value(depth - 1) + (chance(2) ? "," + value(depth - 1) : "") + "]";
    }
    if (depth > 0 && chance(3)) {
      static const std::vector<std::string> kNames{"a", "b", "0"};
      return "{\"" + pick(kNames) + "\":" + value(depth - 1) + "}";
    }
    return scalar();
  }

  std::string path() {
    static const std::vector<std::string> kPaths{
        "a", "b", "c", "a.b", "b.a", "a.0", "0.a", "%%root.a", "a.b.a", "%%prevRoot.b.b"};
    return pick(kPaths);
  }

  std::string expansion() {
    static const std::vector<std::string> kExpansions{
        "\"%%user.custom_data.one\"",  "\"%%user.custom_data.list\"",  "\"%%user.custom_data.no\"",
        "\"%%user.custom_data.null\"", "\"%%user.custom_data.mixed\"", "\"%%user.id\""};
    return pick(kExpansions);
  }

  std::string operand() {
    if (chance(3)) return expansion();
    return value(1);
  }

  std::string condition() {
    switch (random_() % 10) {
      case 0:
        return std::string(R"({"%exists":)") + (chance(2) ? "true" : "false") + "}";
      case 1:
        return R"({"%in":)" + list() + "}";
      case 2:
        return R"({"$nin":)" + list() + "}";
      case 3:
        return R"({"%ne":)" + operand() + "}";
      case 4:
        return R"({"$all":)" + list() + "}";
      case 5:
      case 6: {
        static const std::vector<std::string> kOps{"%gt", "$gte", "%lt", "$lte"};
        return "{\"" + pick(kOps) + "\":" + operand() + "}";
      }
      case 7:
        return R"({"%not":)" + (chance(2) ? operand() : R"({"%eq":)" + operand() + "}") + "}";
      default:
        return operand();
    }
  }

  std::string list() {
    if (chance(3)) return expansion();
    return "[" + operand() + (chance(2) ? "," + operand() : "") + "]";
  }

  std::string member() {
    if (chance(6)) {
      static const std::vector<std::string> kFields{"\"%%root.a\"", "\"%%root.b\"",
                                                    "\"%%root.a.b\""};
      const std::string field = pick(kFields);
      return R"("%%user.custom_data.one":)" + (chance(2) ? field : R"({"%in":)" + field + "}");
    }
    return "\"" + path() + "\":" + condition();
  }

  std::mt19937 random_;
};

std::uint32_t seed_to_use() {
  const char* given = std::getenv("RESTITCH_TEST_SEED");
  if (given != nullptr) return static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10));
  return std::random_device{}();
}

const char* kRequest = R"({"user":{"id":"u1","custom_data":{
  "one":1,"list":[1,"x",2],"null":null,"mixed":[null,[1],{"a":1}]}}})";

TEST(PushDown, query_holds_every_document_for_which_the_expression_is_true) {
  const std::uint32_t seed = seed_to_use();
  std::cout << "RESTITCH_TEST_SEED=" << seed << "\n";
  Generator generator(seed);
  testing::CaseRequest request(bson::parse_json_document(kRequest).value());
  const EvaluationContext context = request.context();
  const query::CommandContext command;
  int exact_queries = 0;
  for (int i = 0; i < 4000; ++i) {
    const std::string text = generator.expression(3);
    app::Findings findings;
    const auto parsed = bson::parse_json(text);
    ASSERT_TRUE(parsed) << text;
    const auto expression = Expression::compile(*parsed, Place::kRole, "f", "", findings);
    if (expression == nullptr) continue;
    bool exact = false;
    const bson::Document query = expression->to_query(context, &exact);
    exact_queries += exact ? 1 : 0;
    auto filter = query::Filter::compile(query, command);
    ASSERT_TRUE(filter) << text << " -> " << bson::to_json(query);
    for (int j = 0; j < 15; ++j) {
      const bson::Document document = bson::parse_json_document(generator.document()).value();
      Documents documents;
      documents.root = document.view();
      documents.prev_root = document.view();
      const bool is_true = expression->evaluate(context, documents);
      const bool matches = filter->matches(document).value();
      const std::string story =
          text + " -> " + bson::to_json(query) + " on " + bson::to_json(document);
      if (is_true) {
        ASSERT_TRUE(matches) << story;
      }
      if (exact) {
        ASSERT_EQ(matches, is_true) << story;
      }
    }
  }
  EXPECT_GT(exact_queries, 300);
}

}  // namespace
}  // namespace restitch::rules
