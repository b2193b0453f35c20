#include "rules/rule_set.h"

#include <gtest/gtest.h>

#include "bson/extended_json.h"
#include "rules/operation.h"
#include "rules/role_program.h"
#include "rules/testing/case_reader.h"

namespace restitch::rules {
namespace {

bson::Document json(const char* text) { return bson::parse_json_document(text).value(); }

TEST(RuleSet, federated_sources_have_no_rules) {
  app::Config config =
      testing::read_config(json(R"({"roles":[{"name":"r","apply_when":{},"read":true}]})"));
  config.data_sources.front().type = app::SourceType::kDataLake;
  app::Findings findings;
  const auto rules = RuleSet::compile(config, findings);
  ASSERT_NE(rules, nullptr);
  EXPECT_EQ(rules->find("mongodb-atlas", "shop", "items"), nullptr);
}

TEST(RuleSet, unknown_sources_have_no_rules) {
  app::Findings findings;
  const auto rules = RuleSet::compile(testing::read_config(bson::Document()), findings);
  ASSERT_NE(rules, nullptr);
  EXPECT_EQ(rules->find("other", "shop", "items"), nullptr);
}

TEST(RuleSet, title_of_a_schema_names_its_namespace) {
  app::Findings findings;
  const auto rules = RuleSet::compile(
      testing::read_config(json(R"({"schema":{"title":"Item","bsonType":"object"}})")), findings);
  ASSERT_NE(rules, nullptr);
  std::string database;
  std::string collection;
  EXPECT_TRUE(rules->resolve_title("mongodb-atlas", "Item", &database, &collection));
  EXPECT_EQ(database, "shop");
  EXPECT_EQ(collection, "items");
  EXPECT_FALSE(rules->resolve_title("mongodb-atlas", "Nobody", &database, &collection));
}

TEST(RuleSet, every_bad_expression_is_reported_with_its_place) {
  app::Findings findings;
  const auto rules = RuleSet::compile(testing::read_config(json(R"({
    "roles":[
      {"name":"a","apply_when":{"x":"%%nope"},"read":true},
      {"name":"b","apply_when":{},"fields":{"f/g":{"fields":{"h":{"write":{"%bad":1}}}}},
       "additional_fields":{"read":{"%%args":1}}}],
    "filters":[{"name":"f","apply_when":{"x":1},"query":{"y":"%%root.x"}}]})")),
                                      findings);
  EXPECT_EQ(rules, nullptr);
  std::vector<std::string> places;
  for (const app::Finding& finding : findings.list()) {
    EXPECT_EQ(finding.file, "data_sources/mongodb-atlas/shop/items/rules.json");
    places.push_back(finding.pointer);
  }
  const std::vector<std::string> expected{
      "/roles/0/apply_when/x", "/roles/1/fields/f~1g/fields/h/write/%bad",
      "/roles/1/additional_fields/read/%%args", "/filters/0/apply_when/x", "/filters/0/query/y"};
  EXPECT_EQ(places, expected);
}

TEST(RuleSet, bad_validate_expression_is_reported) {
  app::Findings findings;
  const auto rules = RuleSet::compile(
      testing::read_config(
          json(R"({"schema":{"bsonType":"object","properties":{"a":{"validate":{"%%nope":1}}}}})")),
      findings);
  EXPECT_EQ(rules, nullptr);
  ASSERT_FALSE(findings.list().empty());
  const app::Finding& finding = findings.list().front();
  EXPECT_EQ(finding.message, "error validating rule: do not know how to expand '%%nope'");
  EXPECT_EQ(finding.file, "data_sources/mongodb-atlas/shop/items/schema.json");
  EXPECT_EQ(finding.pointer, "/properties/a/validate/%%nope");
}

Result<Operation> parse(Action action, const char* argument, std::string* title = nullptr) {
  std::string unused;
  return parse_client_operation(action, "mongodb-atlas", json(argument),
                                title != nullptr ? title : &unused);
}

TEST(ClientOperation, schema_name_alone_is_left_to_resolve) {
  std::string title;
  const auto operation = parse(Action::kFind, R"({"schema_name":"Item"})", &title);
  ASSERT_TRUE(operation);
  EXPECT_EQ(title, "Item");
  EXPECT_TRUE(operation->database.empty());
}

TEST(ClientOperation, namespace_is_needed) {
  const auto operation = parse(Action::kFind, R"({"database":"d"})");
  ASSERT_FALSE(operation);
  EXPECT_EQ(operation.error().code(), ErrorCode::kMissingParameter);
}

TEST(ClientOperation, names_differ_by_action) {
  const auto find = parse(Action::kFind, R"({"database":"d","collection":"c","query":{"a":1},
      "project":{"b":1},"sort":{"c":1},"limit":{"$numberLong":"5"},"filter":{"no":1}})");
  ASSERT_TRUE(find);
  EXPECT_EQ(bson::to_json(find->filter, bson::JsonMode::kRelaxed), R"({"a":1})");
  EXPECT_EQ(bson::to_json(find->projection, bson::JsonMode::kRelaxed), R"({"b":1})");
  EXPECT_EQ(find->limit, 5);
  const auto modify = parse(Action::kFindOneAndUpdate,
                            R"({"database":"d","collection":"c","filter":{"a":1},
      "projection":{"b":1},"update":{"$set":{"x":1}},"upsert":true,"returnNewDocument":true,"query":{"no":1}})");
  ASSERT_TRUE(modify);
  EXPECT_EQ(bson::to_json(modify->filter, bson::JsonMode::kRelaxed), R"({"a":1})");
  EXPECT_EQ(bson::to_json(modify->projection, bson::JsonMode::kRelaxed), R"({"b":1})");
  EXPECT_TRUE(modify->upsert);
  EXPECT_TRUE(modify->return_new);
}

TEST(ClientOperation, wrong_types_are_refused) {
  for (const char* member : {R"("query":1)", R"("sort":[])", R"("limit":-1)", R"("limit":"x")"}) {
    const std::string text = std::string(R"({"database":"d","collection":"c",)") + member + "}";
    const auto operation = parse(Action::kFind, text.c_str());
    ASSERT_FALSE(operation) << member;
    EXPECT_EQ(operation.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(ClientOperation, nulls_are_absent) {
  const auto operation = parse(
      Action::kFind,
      R"({"database":"d","collection":"c","query":null,"limit":null,"sort":{"$undefined":true}})");
  ASSERT_TRUE(operation);
  EXPECT_TRUE(operation->filter.empty());
}

TEST(ClientOperation, texts_of_refused_writes) {
  const auto nothing =
      parse(Action::kInsertMany, R"({"database":"d","collection":"c","documents":[]})");
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code(), ErrorCode::kInvalidArgument);
  EXPECT_NE(nothing.error().message().find("must provide at least one element"), std::string::npos);
  const auto operators =
      parse(Action::kFindOneAndReplace,
            R"({"database":"d","collection":"c","filter":{},"update":{"$set":{"a":1}}})");
  ASSERT_FALSE(operators);
  EXPECT_EQ(operators.error().message(),
            "the replace operation document must not contain atomic operators");
  EXPECT_TRUE(parse(Action::kFindOneAndReplace, R"({"database":"d","collection":"c"})"));
  EXPECT_FALSE(parse(Action::kUpdateOne, R"({"database":"d","collection":"c"})"));
}

TEST(ClientOperation, actions_have_their_names) {
  EXPECT_EQ(action_from_name("findOneAndReplace"), Action::kFindOneAndReplace);
  EXPECT_EQ(name_of(Action::kBulkWrite), "bulkWrite");
  EXPECT_FALSE(action_from_name("watch"));
  EXPECT_TRUE(is_write(Action::kFindOneAndDelete));
  EXPECT_FALSE(is_write(Action::kDistinct));
}

}  // namespace
}  // namespace restitch::rules
