#include "deployment/stored_config.h"

#include <gtest/gtest.h>

#include "app/writing/members.h"
#include "bson/extended_json.h"
#include "deployment/config_diff.h"

namespace restitch::deployment {
namespace {

bson::Document json(std::string_view text) {
  bson::JsonOptions plain;
  plain.extended = false;
  auto parsed = bson::parse_json_with(text, plain);
  EXPECT_TRUE(parsed);
  return bson::Document(parsed->value.view().get_document());
}

TEST(StoredConfig, comes_back_from_the_store_as_it_was) {
  StoredConfig config = new_config();
  const auto body = json(R"({"name":"n","value":{"$numberLong":"5","a.b":[1,2.5,null]}})");
  ASSERT_TRUE(config.add(EntityKind::kValue, body));
  const auto back = StoredConfig::from_bson(config.to_bson());
  ASSERT_TRUE(back);
  ASSERT_EQ(back->entities.size(), config.entities.size());
  for (std::size_t i = 0; i < config.entities.size(); ++i) {
    EXPECT_EQ(back->entities[i].id, config.entities[i].id);
    EXPECT_EQ(bson::to_json(back->entities[i].body.view()),
              bson::to_json(config.entities[i].body.view()));
  }
}

TEST(StoredConfig, a_name_is_taken_once_in_its_service) {
  StoredConfig config;
  const auto service = config.add(EntityKind::kService, json(R"({"name":"a","type":"mongodb"})"));
  const auto other = config.add(EntityKind::kService, json(R"({"name":"b","type":"mongodb"})"));
  ASSERT_TRUE(service && other);
  const auto rule = json(R"({"database":"d","collection":"c"})");
  EXPECT_TRUE(config.add(EntityKind::kRule, rule, *service));
  EXPECT_TRUE(config.add(EntityKind::kRule, rule, *other));
  EXPECT_FALSE(config.add(EntityKind::kRule, rule, *service));
  config.remove(*service);
  EXPECT_EQ(config.entities.size(), 2U);
}

TEST(StoredConfig, references_follow_a_renamed_function) {
  StoredConfig config;
  const auto function = config.add(EntityKind::kFunction, json(R"({"name":"old"})"));
  ASSERT_TRUE(function);
  const std::string id = function->to_hex();
  const auto trigger = json(
      R"({"name":"t","event_processors":{"FUNCTION":{"config":{"function_id":")" + id + "\"}}}}");
  ASSERT_TRUE(config.add(EntityKind::kTrigger, trigger));
  put_names_for_ids(config, {});
  ASSERT_TRUE(
      config.replace(*config.find(EntityKind::kFunction, *function), json(R"({"name":"new"})")));
  const Entity* changed = config.find_named(EntityKind::kTrigger, "t");
  ASSERT_NE(changed, nullptr);
  EXPECT_EQ(bson::to_json(changed->body.view()),
            R"({"name":"t","event_processors":{"FUNCTION":{"config":{"function_name":"new"}}}})");
}

TEST(ImportInto, strategies_differ_in_what_they_keep) {
  StoredConfig former = new_config();
  const auto kept = former.add(EntityKind::kValue, json(R"({"name":"kept","value":1})"));
  ASSERT_TRUE(kept && former.add(EntityKind::kValue, json(R"({"name":"gone","value":1})")));
  StoredConfig imported;
  ASSERT_TRUE(imported.add(EntityKind::kValue, json(R"({"name":"kept","value":2})")));
  const auto by_name = import_into(former, imported, ImportStrategy::kReplaceByName);
  ASSERT_TRUE(by_name);
  const Entity* value = by_name->find_named(EntityKind::kValue, "kept");
  ASSERT_NE(value, nullptr);
  EXPECT_EQ(value->id, *kept);
  EXPECT_EQ(by_name->find_named(EntityKind::kValue, "gone"), nullptr);
  EXPECT_NE(by_name->find_named(EntityKind::kAuthProvider, "api-key"), nullptr);
  EXPECT_FALSE(by_name->settings(kGraphqlConfig).is_missing());
  imported.entities.front().given_id = "000000000000000000000000";
  EXPECT_FALSE(import_into(former, imported, ImportStrategy::kMerge));
  EXPECT_FALSE(import_into(former, imported, ImportStrategy::kReplace));
  imported.entities.front().given_id = "no id";
  EXPECT_FALSE(import_into(former, imported, ImportStrategy::kMerge));
  EXPECT_TRUE(import_into(former, imported, ImportStrategy::kReplace));
  imported.entities.front().given_id = kept->to_hex();
  const auto merged = import_into(former, imported, ImportStrategy::kMerge);
  ASSERT_TRUE(merged);
  EXPECT_EQ(merged->entities.size(), former.entities.size());
}

TEST(UnifiedDiff, shows_changed_lines_with_their_context) {
  EXPECT_EQ(unified_diff("f", "same\n", "same\n"), "");
  EXPECT_EQ(unified_diff("f", "a\nb\nc\n", "a\nB\nc\n"),
            "--- f\n+++ f\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
  EXPECT_EQ(unified_diff("f", "", "x\ny\n"), "--- f\n+++ f\n@@ -0,0 +1,2 @@\n+x\n+y\n");
  EXPECT_EQ(unified_diff("f", "x\n", ""), "--- f\n+++ f\n@@ -1,1 +0,0 @@\n-x\n");
}

TEST(UnifiedDiff, changes_far_apart_have_hunks_of_their_own) {
  const std::string before = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
  const std::string after = "one\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\ntwelve\n";
  EXPECT_EQ(unified_diff("f", before, after),
            "--- f\n+++ f\n@@ -1,4 +1,4 @@\n-1\n+one\n 2\n 3\n 4\n"
            "@@ -9,4 +9,4 @@\n 9\n 10\n 11\n-12\n+twelve\n");
}

}  // namespace
}  // namespace restitch::deployment
