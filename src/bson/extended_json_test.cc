#include "bson/extended_json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "bson/compare.h"
#include "bson/validate.h"
#include "bson/value_generator.h"

namespace restitch::bson {
namespace {

// Cases are read without wrappers, so that the texts inside stay as written; "shell" values are
// interpreted.
const Document& cases() {
  static const Document document = [] {
    std::ifstream file(RESTITCH_SOURCE_DIR "/tests/data/bson/json.json");
    std::stringstream text;
    text << file.rdbuf();
    auto parsed = parse_json_document(text.str());
    EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message());
    return parsed ? std::move(*parsed) : Document();
  }();
  return document;
}

View list_of(std::string_view name) { return cases()[name].as_array().value_or(View()); }

std::string nested_arrays(int levels, std::string_view inside = "") {
  const auto count = static_cast<std::size_t>(levels);
  return std::string(count, '[') + std::string(inside) + std::string(count, ']');
}

TEST(ExtendedJson, texts_are_read_as_the_values_they_mean) {
  ASSERT_FALSE(list_of("reads").empty());
  for (const Element& entry : list_of("reads")) {
    const View vector = entry.value.get_document();
    SCOPED_TRACE(vector["name"].get_string());
    const auto value = parse_json(vector["text"].get_string());
    ASSERT_TRUE(value) << value.error().message();
    EXPECT_EQ(to_json(*value), vector["canonical"].get_string());
  }
}

TEST(ExtendedJson, errors_name_the_place_and_the_problem) {
  ASSERT_FALSE(list_of("errors").empty());
  for (const Element& entry : list_of("errors")) {
    const View vector = entry.value.get_document();
    SCOPED_TRACE(vector["name"].get_string());
    const auto value = parse_json(vector["text"].get_string());
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().message(), vector["message"].get_string());
    EXPECT_EQ(value.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST(ExtendedJson, shell_text_is_that_of_mongodb_messages) {
  ASSERT_FALSE(list_of("shell").empty());
  for (const Element& entry : list_of("shell")) {
    const View vector = entry.value.get_document();
    SCOPED_TRACE(vector["name"].get_string());
    EXPECT_EQ(to_shell(vector["value"]), vector["text"].get_string());
  }
}

TEST(ExtendedJson, strings_that_are_not_utf8_are_refused) {
  EXPECT_FALSE(parse_json("\"\xC3\""));
  EXPECT_FALSE(parse_json("{\"\xFF\":1}"));
  EXPECT_FALSE(parse_json("\"\xED\xA0\x80\""));
}

TEST(ExtendedJson, nesting_is_limited_and_wrappers_do_not_count) {
  EXPECT_TRUE(parse_json(nested_arrays(kMaxDepth)));
  EXPECT_FALSE(parse_json(nested_arrays(kMaxDepth + 1)));
  EXPECT_FALSE(parse_json(nested_arrays(1000000)));
  EXPECT_TRUE(parse_json(nested_arrays(kMaxDepth, R"({"$date":{"$numberLong":"1"}})")));
  EXPECT_TRUE(parse_json(nested_arrays(
      kMaxDepth,
      R"({"$dbPointer":{"$ref":"a","$id":{"$oid":"000000000000000000000000"}}},{"$numberInt":"1"})")));
  EXPECT_FALSE(parse_json(nested_arrays(kMaxDepth, R"({},{"$numberInt":"1"})")));
  EXPECT_FALSE(parse_json(nested_arrays(kMaxDepth, R"({"$code":"","$scope":{"a":{}}})")));
}

TEST(ExtendedJson, a_document_must_be_an_object) {
  EXPECT_TRUE(parse_json_document("{}"));
  EXPECT_FALSE(parse_json_document("[]"));
  EXPECT_FALSE(parse_json_document(R"({"$numberInt":"1"})"));
}

TEST(ExtendedJson, leniencies_are_accepted_where_allowed_and_reported) {
  const JsonOptions lenient{.allow_trailing_comma = true, .allow_byte_order_mark = true};
  const auto both = parse_json_with("\xEF\xBB\xBF{\"a\":[1,],}", lenient);
  ASSERT_TRUE(both);
  EXPECT_TRUE(both->had_trailing_comma);
  EXPECT_TRUE(both->had_byte_order_mark);
  EXPECT_EQ(to_json(both->value), R"({"a":[{"$numberInt":"1"}]})");
  const auto neither = parse_json_with("[1]", lenient);
  ASSERT_TRUE(neither);
  EXPECT_FALSE(neither->had_trailing_comma);
  EXPECT_FALSE(neither->had_byte_order_mark);
  for (const char* text : {"[,]", "[1,,]", "{,}", "{\"a\":1,,}"}) {
    EXPECT_FALSE(parse_json_with(text, lenient)) << text;
  }
}

TEST(ExtendedJson, wrappers_stay_objects_when_not_asked_for) {
  const auto plain = parse_json_with(R"({"$oid":5})", {.extended = false});
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->value.type(), Type::kObject);
}

TEST(ExtendedJson, relaxed_text_is_plain_where_nothing_is_lost) {
  Builder builder;
  builder.append("i", 1).append("l", std::int64_t{1} << 40).append("d", 2.0).append("n", NAN);
  builder.append("now", Date{1356351330501}).append("old", Date{-1});
  builder.append("far", Date{253402300800000});
  EXPECT_EQ(to_json(std::move(builder).finish(), JsonMode::kRelaxed),
            R"({"i":1,"l":1099511627776,"d":2.0,"n":{"$numberDouble":"NaN"},)"
            R"("now":{"$date":"2012-12-24T12:15:30.501Z"},"old":{"$date":{"$numberLong":"-1"}},)"
            R"("far":{"$date":{"$numberLong":"253402300800000"}}})");
}

TEST(ExtendedJson, canonical_text_of_any_value_reads_back_identically) {
  ValueGenerator generator(11);
  for (int i = 0; i < 20000; ++i) {
    Value value = generator.value();
    if (value.is_missing()) continue;
    const std::string text = to_json(value);
    const auto parsed = parse_json(text);
    ASSERT_TRUE(parsed) << text << parsed.error().message();
    ASSERT_EQ(to_json(*parsed), text);
    Builder builder;
    builder.append("v", *parsed);
    ASSERT_TRUE(validate(std::move(builder).finish().bytes())) << text;
  }
}

TEST(ExtendedJson, every_control_character_survives) {
  std::string text;
  for (int c = 0; c < 0x80; ++c) text.push_back(static_cast<char>(c));
  for (std::size_t start = 0; start < text.size(); ++start) {
    const Value value = Value::of(text.substr(start));
    const auto parsed = parse_json(to_json(value));
    ASSERT_TRUE(parsed);
    EXPECT_TRUE(equal(*parsed, value));
  }
}

}  // namespace
}  // namespace restitch::bson
