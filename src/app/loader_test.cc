#include "app/loader.h"

#include <gtest/gtest.h>

#include <array>

#include "app/names.h"
#include "app/secrets.h"
#include "app/tree.h"
#include "bson/extended_json.h"

namespace restitch::app {
namespace {

bson::Value parsed(std::string_view text) {
  auto value = bson::parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? std::move(*value) : bson::Value();
}

// A configuration that never was a directory, as an import document gives it.
Tree tree_in_memory() {
  Tree tree;
  tree.config_version = 20210101;
  tree.root_file = "realm_config.json";
  tree.json["realm_config.json"] = parsed(R"({"config_version": 20210101, "name": "memory"})");
  tree.json["functions/config.json"] = parsed(R"([{"name": "total", "private": true}])");
  tree.sources["functions/orders/total.js"] = "exports = () => 5;";
  tree.json["auth/providers.json"] = parsed(R"({"oauth2-google": {"type": "oauth2-google",
      "config": {"clientId": "c"}, "secret_config": {"clientSecret": "google"}},
      "custom-token": {"type": "custom-token", "config": {"signingAlgorithm": "HS256"},
      "secret_config": {"signingKeys": ["one", "two"]}}})");
  tree.json["data_sources/own/config.json"] =
      parsed(R"({"name": "own", "type": "mongodb", "config": {"clusterName": "x"},
                 "secret_config": {"uri": "ownUri"}})");
  tree.json["values/key.json"] = parsed(R"({"name": "key", "value": "one", "from_secret": true})");
  return tree;
}

TEST(Assemble, needs_no_directory) {
  Findings findings;
  const Config config = assemble(tree_in_memory(), findings);
  EXPECT_TRUE(findings.list().empty());
  EXPECT_EQ(config.name, "memory");
  ASSERT_NE(config.find_function("total"), nullptr);
  EXPECT_EQ(config.find_function("orders/total"), config.find_function("total"));
  EXPECT_EQ(config.find_function("orders"), nullptr);
  EXPECT_TRUE(config.find_function("total")->is_private);
  ASSERT_NE(config.find_data_source("own"), nullptr);
  EXPECT_EQ(config.find_data_source("other"), nullptr);
  ASSERT_NE(config.find_auth_provider("oauth2-google"), nullptr);
  EXPECT_EQ(config.find_auth_provider("anon-user"), nullptr);
}

TEST(Secrets, every_reference_is_told_with_its_place) {
  Findings findings;
  const Config config = assemble(tree_in_memory(), findings);
  check_secret_references(config, {{"one", ""}}, findings);
  std::vector<std::string> lines;
  for (const Finding& finding : findings.list()) lines.push_back(to_line(finding));
  EXPECT_EQ(lines, (std::vector<std::string>{
                       "auth/providers.json: /oauth2-google/secret_config/clientSecret: "
                       "secret not found: \"google\"",
                       "auth/providers.json: /custom-token/secret_config/signingKeys/1: "
                       "secret not found: \"two\"",
                       "data_sources/own/config.json: /secret_config/uri: "
                       "secret not found: \"ownUri\""}));
}

TEST(Findings, lines_leave_out_what_is_empty) {
  EXPECT_EQ(to_line({FindingSeverity::kError, "a.json", "/b", "C", "is wrong"}),
            "a.json: /b: is wrong");
  EXPECT_EQ(to_line({FindingSeverity::kError, "a.json", "", "C", "is wrong"}), "a.json: is wrong");
  EXPECT_EQ(to_line({FindingSeverity::kError, "", "", "C", "is wrong"}), "is wrong");
}

TEST(Findings, only_errors_count_as_errors) {
  Findings findings;
  findings.warning("f", "", "C", "m");
  EXPECT_FALSE(findings.has_errors());
  findings.error("f", "", "C", "m");
  EXPECT_TRUE(findings.has_errors());
  EXPECT_EQ(findings.list().size(), 2U);
}

TEST(Names, misspellings_are_recognised_and_other_words_are_not) {
  constexpr std::array<std::string_view, 4> kWords = {"apply_when", "read", "write", "fields"};
  EXPECT_EQ(closest("applyWhen", kWords), "apply_when");
  EXPECT_EQ(closest("aply_when", kWords), "apply_when");
  EXPECT_EQ(closest("wirte", kWords), "");
  EXPECT_EQ(closest("feilds", kWords), "fields");
  EXPECT_EQ(closest("colour", kWords), "");
  EXPECT_EQ(closest(std::string(1000, 'a'), kWords), "");
}

TEST(Names, pointers_are_escaped) {
  EXPECT_EQ(below("/a", "b/c~d"), "/a/b~1c~0d");
  EXPECT_EQ(below("", std::size_t{3}), "/3");
}

}  // namespace
}  // namespace restitch::app
