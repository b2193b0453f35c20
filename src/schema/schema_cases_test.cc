#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "bson/extended_json.h"
#include "schema/schema.h"

// Runs tests/data/schema/*.json. A file is a list of groups {schema, checks}; a check is {name,
// document, violations, null_allowed?}. A violation is given as "<path> <code>" or as
// "<path> <code>: <message>". A group {schema, name, findings} is about compiling: findings are
// "error <pointer>: <message>" or "warning <pointer>: <message>".
namespace restitch::schema {
namespace {

bson::Value read_json_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto parsed = bson::parse_json(text.str());
  EXPECT_TRUE(parsed) << path << ": " << (parsed ? "" : parsed.error().message());
  return parsed ? std::move(*parsed) : bson::Value();
}

std::vector<std::string> texts_of(bson::ValueView list) {
  std::vector<std::string> out;
  for (const bson::Element& element : list.as_array().value_or(bson::View())) {
    out.emplace_back(element.value.get_string());
  }
  return out;
}

std::vector<std::string> lines_of(const app::Findings& findings) {
  std::vector<std::string> lines;
  for (const app::Finding& finding : findings.list()) {
    const bool is_error = finding.severity == app::FindingSeverity::kError;
    lines.push_back((is_error ? "error " : "warning ") + finding.pointer + ": " + finding.message);
  }
  return lines;
}

// Violations as the expectation writes them: with the message only where it has one.
std::vector<std::string> lines_of(const std::vector<Violation>& violations,
                                  const std::vector<std::string>& expected) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < violations.size(); ++i) {
    std::string line = violations[i].path + " " + violations[i].code;
    const bool has_message = i < expected.size() && expected[i].find(": ") != std::string::npos;
    if (has_message || i >= expected.size()) line += ": " + violations[i].message;
    lines.push_back(std::move(line));
  }
  return lines;
}

void run_check(const Schema& schema, bson::View check) {
  SCOPED_TRACE(std::string(check["name"].as_string().value_or("a check has no name")));
  ValidationSettings settings;
  settings.null_allowed_for_optional = check["null_allowed"].as_bool().value_or(false);
  ASSERT_TRUE(check["violations"].as_array());
  const auto expected = texts_of(check["violations"]);
  const auto found = schema.validate(check["document"].get_document(), settings);
  EXPECT_EQ(lines_of(found, expected), expected);
}

int run_group(bson::View group) {
  SCOPED_TRACE(bson::to_json(group["schema"], bson::JsonMode::kRelaxed));
  app::Findings findings;
  const auto schema = Schema::compile(group["schema"].get_document(), "schema.json", findings);
  if (!group["findings"].is_missing()) {
    EXPECT_EQ(lines_of(findings), texts_of(group["findings"])) << group["name"].get_string();
    EXPECT_EQ(schema == nullptr, findings.has_errors());
  } else {
    EXPECT_EQ(lines_of(findings), std::vector<std::string>());
  }
  int cases = group["findings"].is_missing() ? 0 : 1;
  for (const bson::Element& check : group["checks"].as_array().value_or(bson::View())) {
    ++cases;
    EXPECT_NE(schema, nullptr);
    if (schema != nullptr) run_check(*schema, check.value.get_document());
  }
  EXPECT_GT(cases, 0);
  return cases;
}

TEST(SchemaCases, documents_are_judged_as_the_cases_say) {
  int cases = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(RESTITCH_SOURCE_DIR "/tests/data/schema")) {
    SCOPED_TRACE(entry.path().filename().string());
    const bson::Value groups = read_json_file(entry.path());
    ASSERT_TRUE(groups.view().as_array());
    for (const bson::Element& group : groups.view().get_document()) {
      cases += run_group(group.value.get_document());
    }
  }
  EXPECT_GE(cases, 120);
}

bson::Document parsed(std::string_view text) {
  auto document = bson::parse_json_document(text);
  EXPECT_TRUE(document);
  return document ? std::move(*document) : bson::Document();
}

TEST(Schema, validate_expressions_are_collected_with_path_and_pointer) {
  app::Findings findings;
  const auto schema = Schema::compile(parsed(R"({"validate": {"%%root.a": 1}, "properties": {
        "owner": {"bsonType": "string", "validate": {"%%this": "%%user.id"}},
        "a/b": {"bsonType": "object", "properties": {"c": {"validate": true}}},
        "list": {"bsonType": "array", "items": {"bsonType": "object",
                 "properties": {"d": {"validate": false}}}}}})"),
                                      "f", findings);
  ASSERT_NE(schema, nullptr);
  const auto& found = schema->validate_expressions();
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].path, (std::vector<std::string>{"owner"}));
  EXPECT_EQ(found[0].pointer, "/properties/owner/validate");
  EXPECT_EQ(bson::to_json(found[0].expression), R"({"%%this":"%%user.id"})");
  EXPECT_EQ(found[1].path, (std::vector<std::string>{"a/b", "c"}));
  EXPECT_EQ(found[1].pointer, "/properties/a~1b/properties/c/validate");
  EXPECT_EQ(found[2].path, (std::vector<std::string>{"list", "d"}));
  EXPECT_EQ(found[3].path, std::vector<std::string>());
  EXPECT_EQ(found[3].pointer, "/validate");
}

TEST(Schema, title_and_emptiness_are_told) {
  app::Findings findings;
  const auto empty = Schema::compile(parsed("{}"), "f", findings);
  const auto titled = Schema::compile(parsed(R"({"title": "Item"})"), "f", findings);
  ASSERT_TRUE(empty != nullptr && titled != nullptr);
  EXPECT_TRUE(empty->is_empty());
  EXPECT_FALSE(titled->is_empty());
  EXPECT_EQ(titled->title(), "Item");
  EXPECT_TRUE(empty->validate(parsed(R"({"a": [1, {"b": null}]})"), {}).empty());
}

TEST(Schema, description_has_one_line_a_violation) {
  EXPECT_EQ(describe({{"(root)", "required", "a is required"}, {"b.0", "enum", "no"}}),
            "could not validate document: \n\t(root): a is required\n\tb.0: no");
}

TEST(Schema, deeply_nested_schemas_and_documents_are_handled) {
  std::string schema_text = "{}";
  std::string document_text = "1";
  for (int i = 0; i < 60; ++i) {
    schema_text = R"({"bsonType": "object", "properties": {"a": )" + schema_text + "}}";
    document_text = R"({"a": )" + document_text + "}";
  }
  app::Findings findings;
  const auto schema = Schema::compile(parsed(schema_text), "f", findings);
  ASSERT_NE(schema, nullptr);
  EXPECT_TRUE(schema->validate(parsed(document_text), {}).empty());
  const auto violations = schema->validate(parsed(R"({"a": {"a": {"a": 5}}})"), {});
  ASSERT_EQ(violations.size(), 1U);
  EXPECT_EQ(violations[0].path, "a.a.a");
}

}  // namespace
}  // namespace restitch::schema
