#include "rules/document_update.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "bson/extended_json.h"
#include "query/update/update.h"

namespace restitch::rules {
namespace {

using bson::Document;
using bson::View;

std::string between(std::string_view before, std::string_view after) {
  const auto update =
      update_between(*bson::parse_json_document(before), *bson::parse_json_document(after));
  return update ? bson::to_json(*update, bson::JsonMode::kRelaxed) : "nothing";
}

TEST(DocumentUpdate, says_the_smallest_change) {
  EXPECT_EQ(between(R"({"_id": 1, "n": 1, "old": 1})", R"({"_id": 1, "n": 2, "a": 1, "b": 2})"),
            R"({"$set":{"n":2,"a":1,"b":2},"$unset":{"old":true}})");
  EXPECT_EQ(between(R"({"deep": {"n": 1, "keep": 1}})", R"({"deep": {"n": 2, "keep": 1}})"),
            R"({"$set":{"deep.n":2}})");
  EXPECT_EQ(between(R"({"list": [1, {"n": 1}, 3]})", R"({"list": [1, {"n": 2}, 3, 4]})"),
            R"({"$set":{"list.1.n":2,"list.3":4}})");
  EXPECT_EQ(between(R"({"n": 1})", R"({"n": {"$numberDouble": "1"}})"), R"({"$set":{"n":1.0}})");
}

TEST(DocumentUpdate, takes_the_whole_value_where_a_path_cannot_lead) {
  EXPECT_EQ(between(R"({"list": [1, 2, 3]})", R"({"list": [1, 3]})"), R"({"$set":{"list":[1,3]}})");
  EXPECT_EQ(between(R"({"deep": {"a.b": 1}})", R"({"deep": {"a.b": 2}})"),
            R"({"$set":{"deep":{"a.b":2}}})");
  EXPECT_EQ(between(R"({"deep": {"a": 1, "b": 2}})", R"({"deep": {"b": 2, "a": 1}})"),
            R"({"$set":{"deep":{"b":2,"a":1}}})");
}

TEST(DocumentUpdate, gives_nothing_where_operators_cannot_do_it) {
  EXPECT_EQ(between(R"({"a": 1, "b": 2})", R"({"b": 2, "a": 1})"), "nothing");
  EXPECT_EQ(between(R"({"_id": 1})", R"({"_id": 1, "b": 1, "a": 1})"), "nothing");
  EXPECT_EQ(between(R"({"_id": 1})", R"({"_id": 1, "x.y": 1})"), "nothing");
  EXPECT_EQ(between(R"({"_id": 1})", R"({"_id": 1})"), "nothing");
}

// Documents, and such that came from others by a few changes.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::uint64_t below(std::uint64_t limit) { return random_() % limit; }

  Document document(int number) {
    std::string text = R"({"_id":)" + std::to_string(number);
    for (const char* name : {"a", "b", "c", "d"}) {
      if (!chance(4)) text += ",\"" + std::string(name) + "\":" + text_of_value(3);
    }
    return *bson::parse_json_document(text + "}");
  }

  Document changed(View before, int depth) {
    bson::Builder after;
    for (const bson::Element& element : before) {
      if (element.name == "_id") {
        after.append(element.name, element.value);
      } else if (chance(8)) {
        continue;
      } else if (chance(3)) {
        append_changed(after, element, depth);
      } else {
        after.append(element.name, element.value);
      }
    }
    if (chance(3)) after.append(chance(2) ? "x" : "a", value(2));
    if (chance(3)) after.append("z", value(2));
    return std::move(after).finish();
  }

 private:
  bool chance(std::uint64_t one_in) { return random_() % one_in == 0; }

  void append_changed(bson::Builder& after, const bson::Element& element, int depth) {
    const auto object = element.value.as_object();
    const auto array = element.value.as_array();
    if (depth > 0 && object) {
      after.append(element.name, changed(*object, depth - 1));
    } else if (array && chance(2)) {
      after.open_array(element.name);
      for (const bson::Element& member : *array) after.push(member.value);
      after.push(value(1)).close();
    } else {
      after.append(element.name, value(2));
    }
  }

  bson::Value value(int depth) {
    return bson::Value((*bson::parse_json_document(R"({"v":)" + text_of_value(depth) + "}"))["v"]);
  }

  std::string text_of_value(int depth) {
    static const std::vector<std::string> kScalars{
        "1",
        R"({"$numberLong":"1"})",
        "1.5",
        R"({"$numberDouble":"NaN"})",
        R"({"$numberDecimal":"1.0"})",
        "\"x\"",
        "\"$a\"",
        "null",
        "true",
        "[]",
        "{}",
        R"({"$timestamp":{"t":0,"i":0}})",
        R"({"$regularExpression":{"pattern":"a","options":""}})"};
    static const std::vector<std::string> kNames{"a", "b", "x.y", "0", "10", "9", "$who"};
    if (depth == 0 || chance(2)) return kScalars[below(kScalars.size())];
    const bool is_array = chance(2);
    std::string text;
    for (std::uint64_t i = below(4); i > 0; --i) {
      if (!text.empty()) text += ",";
      if (!is_array) text += "\"" + kNames[below(kNames.size() - (i % 2))] + "\":";
      text += text_of_value(depth - 1);
    }
    return is_array ? "[" + text + "]" : "{" + text + "}";
  }

  std::mt19937_64 random_;
};

TEST(DocumentUpdate, makes_the_new_document_byte_for_byte) {
  const char* fixed = std::getenv("RESTITCH_TEST_SEED");
  const std::uint64_t seed = fixed ? std::strtoull(fixed, nullptr, 10) : std::random_device{}();
  std::cout << "RESTITCH_TEST_SEED=" << seed << "\n";
  Generator generator(seed);
  const query::CommandContext context;
  int said = 0;
  for (int round = 0; round < 5'000; ++round) {
    const Document before = generator.document(round);
    const Document after = generator.changed(before, 2);
    const auto update = update_between(before, after);
    if (!update) continue;
    ++said;
    const auto compiled = query::Update::compile(bson::Value::of(*update), context, {});
    ASSERT_TRUE(compiled) << bson::to_json(*update) << compiled.error().message();
    const auto updated = compiled->apply(before, {});
    ASSERT_TRUE(updated) << bson::to_json(before) << "\n"
                         << bson::to_json(*update) << updated.error().message();
    ASSERT_EQ(updated->document.view().bytes(), after.view().bytes())
        << bson::to_json(before) << "\n"
        << bson::to_json(*update) << "\n"
        << bson::to_json(after);
    ASSERT_FALSE(updated->is_replace);
  }
  EXPECT_GT(said, 1'000);
}

}  // namespace
}  // namespace restitch::rules
