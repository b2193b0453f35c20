#include "deployment/rule_tests/test_file.h"

#include <gtest/gtest.h>

namespace restitch::deployment {
namespace {

constexpr const char* kFile = R"({
  "description": "what it is about",
  "database": "shop", "collection": "items",
  "users": {"ann": {"id": "a", "custom_data": {"team": "red"}}},
  "documents": {"shop.items": [{"_id": 1}], "shop.more.of": []},
  "functions": {"f": true},
  "values": {"key": "x"},
  "cases": [
    {"name": "one", "as": "ann", "operation": "find", "query": {"_id": 1}, "expect": "allowed"},
    {"as": {"id": "b"}, "operation": "insert", "document": {}, "collection": "other",
     "expect": {"role": ["owner", null], "withheld": ["n"], "schema": ["n"], "count": 2
}
},
    {"name": "three", "as": "system", "operation": "count", "expect": {"role": null}}
  ]
})";

TEST(RuleTestFile, has_users_documents_and_cases) {
  const auto file = parse_rule_test_file("tests/rules/x.json", kFile);
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->users.at("ann").id, "a");
  EXPECT_EQ(file->users.at("ann").type, "normal");
  ASSERT_EQ(file->stored.size(), 2U);
  EXPECT_EQ(file->stored[0].source, "mongodb-atlas");
  EXPECT_EQ(file->stored[1].collection, "more.of");
  ASSERT_EQ(file->cases.size(), 3U);
  const RuleTestCase& first = file->cases[0];
  EXPECT_EQ(first.name, "one");
  EXPECT_EQ(first.user.id, "a");
  EXPECT_EQ(first.operation.database, "shop");
  EXPECT_EQ(first.expected.outcome, RuleExpectation::Outcome::kAllowed);
  EXPECT_FALSE(first.expected.roles);
  const RuleTestCase& second = file->cases[1];
  EXPECT_EQ(second.name, "case 2");
  EXPECT_EQ(second.operation.action, rules::Action::kInsertOne);
  EXPECT_EQ(second.operation.collection, "other");
  ASSERT_TRUE(second.expected.roles);
  EXPECT_EQ(second.expected.roles->size(), 2U);
  EXPECT_FALSE(second.expected.has_one_role);
  EXPECT_EQ(second.expected.outcome, RuleExpectation::Outcome::kRefused) << "schema says so";
  EXPECT_EQ(file->cases[2].user.type, "system");
  EXPECT_TRUE(file->cases[2].expected.has_one_role);
}

std::string error_of(const std::string& text) {
  const auto file = parse_rule_test_file("t.json", text);
  return file ? "none" : file.error().message();
}

TEST(RuleTestFile, tells_where_it_is_wrong) {
  EXPECT_EQ(error_of(R"({"cases": {}})"), "t.json: expected 'cases' to be a list");
  EXPECT_EQ(error_of(R"({"case": []})"), "t.json: unknown member 'case'");
  EXPECT_EQ(error_of(R"({"users": {"a": {"name": "a"}}, "cases": []})"),
            "t.json: users/a: unknown member 'name'");
  EXPECT_EQ(error_of(R"({"documents": {"shop": []}, "cases": []})"),
            "t.json: documents: 'shop' is not of the form database.collection");
  EXPECT_EQ(error_of(R"({"documents": {"a.b": [1]}, "cases": []})"),
            "t.json: expected 'documents/a.b' to be a list of documents");
  EXPECT_EQ(error_of(R"({"cases": [{"name": "n", "as": "system", "operation": "find",
                                    "expect": "allowed"}]})"),
            "t.json: \"n\": missing parameter 'database'");
  EXPECT_EQ(error_of(R"({"database": "a", "collection": "b", "cases": [
                {"name": "n", "as": "system", "operation": "bulkWrite", "operations": [],
                 "expect": {"count": 0}}]})"),
            "t.json: \"n\": a bulkWrite gives no result: 'count' and 'visible' cannot be expected");
}

}  // namespace
}  // namespace restitch::deployment
