#include "bson/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <unordered_set>

#include "bson/extended_json.h"

namespace restitch::bson {
namespace {

Value json(std::string_view text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text << ": " << value.error().message();
  return value ? std::move(*value) : Value();
}

// Each text sorts before the next.
void expect_ascending(const std::vector<std::string_view>& texts) {
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (std::size_t j = 0; j < texts.size(); ++j) {
      const int order = compare(json(texts[i]), json(texts[j]));
      EXPECT_EQ((order > 0) - (order < 0), (i > j) - (i < j)) << texts[i] << " and " << texts[j];
    }
  }
}

TEST(Compare, types_follow_the_canonical_order) {
  expect_ascending({R"({"$minKey":1})", R"({"$undefined":true})", "null", "1", R"("a")", "{}", "[]",
                    R"({"$binary":{"base64":"","subType":"00"}})",
                    R"({"$oid":"000000000000000000000000"})", "false", "true", R"({"$date":0})",
                    R"({"$timestamp":{"t":0,"i":0}})",
                    R"({"$regularExpression":{"pattern":"","options":""}})",
                    R"({"$dbPointer":{"$ref":"a","$id":{"$oid":"000000000000000000000000"}}})",
                    R"({"$code":""})", R"({"$code":"","$scope":{}})", R"({"$maxKey":1})"});
}

TEST(Compare, numbers_follow_their_exact_value_across_types) {
  expect_ascending(
      {R"({"$numberDouble":"NaN"})", R"({"$numberDouble":"-Infinity"})",
       R"({"$numberDecimal":"-1E+400"})", R"({"$numberLong":"-9223372036854775808"})", "-1.5", "-1",
       "0", R"({"$numberDecimal":"1E-400"})", R"({"$numberDecimal":"0.1"})", "0.1",
       "9007199254740992", R"({"$numberDecimal":"9007199254740992.5"})",
       R"({"$numberLong":"9007199254740993"})", R"({"$numberLong":"9223372036854775807"})",
       "9223372036854775808", R"({"$numberDouble":"Infinity"})"});
  EXPECT_TRUE(equal(json(R"({"$numberDouble":"-0.0"})"), json("0")));
  EXPECT_TRUE(equal(json(R"({"$numberDecimal":"NaN"})"), json(R"({"$numberDouble":"NaN"})")));
  EXPECT_TRUE(equal(json(R"({"$numberDecimal":"1.00"})"), json("1")));
}

TEST(Compare, objects_go_pair_by_pair_class_then_name_then_value) {
  expect_ascending({"{}", R"({"b":1})", R"({"b":1,"a":0})", R"({"b":2})", R"({"c":0})",
                    R"({"a":"text"})", R"({"a":{}})"});
  EXPECT_FALSE(equal(json(R"({"a":1,"b":2})"), json(R"({"b":2,"a":1})")));
  EXPECT_TRUE(equal(json(R"({"a":1})"), json(R"({"a":1.0})")));
}

TEST(Compare, arrays_go_element_by_element) {
  expect_ascending({"[]", "[null]", "[1]", "[1,2]", "[2]", R"(["a"])", "[[]]"});
}

TEST(Compare, strings_binaries_and_others_have_their_own_rules) {
  expect_ascending({R"("")", R"("a")", R"("a\u0000")", R"("ab")", R"("é")"});
  EXPECT_TRUE(equal(json(R"("a")"), json(R"({"$symbol":"a"})")));
  expect_ascending({R"({"$binary":{"base64":"/w==","subType":"80"}})",
                    R"({"$binary":{"base64":"AAA=","subType":"00"}})",
                    R"({"$binary":{"base64":"AAE=","subType":"00"}})",
                    R"({"$binary":{"base64":"AAA=","subType":"05"}})"});
  expect_ascending({R"({"$date":-1})", R"({"$date":0})"});
  expect_ascending({R"({"$timestamp":{"t":1,"i":2}})", R"({"$timestamp":{"t":4294967295,"i":0}})"});
  expect_ascending({R"({"$regularExpression":{"pattern":"a","options":"x"}})",
                    R"({"$regularExpression":{"pattern":"b","options":""}})",
                    R"({"$regularExpression":{"pattern":"b","options":"i"}})"});
}

TEST(Compare, missing_is_undefined_in_expressions_and_null_in_indexes) {
  EXPECT_LT(compare(ValueView(), Value::null()), 0);
  EXPECT_EQ(compare(ValueView(), Value::undefined()), 0);
  EXPECT_EQ(compare(ValueView(), Value::null(), true), 0);
  EXPECT_GT(compare(ValueView(), Value::undefined(), true), 0);
}

TEST(Compare, equal_values_meet_in_a_hash_set) {
  std::unordered_set<Value, ValueHash, ValueEqual> set;
  for (const char* text :
       {"1", "1.0", R"({"$numberLong":"1"})", R"({"$numberDecimal":"1.000"})", "0.5",
        R"({"$numberDecimal":"0.50"})", R"({"$numberDecimal":"1E+30"})",
        R"({"$numberDecimal":"10E+29"})", R"({"a":[1,{"b":2}]})", R"({"a":[1.0,{"b":2.0}]})",
        R"("s")", R"({"$symbol":"s"})", R"({"$numberDouble":"-0.0"})", "0",
        R"({"$numberDouble":"NaN"})", R"({"$numberDecimal":"-NaN"})"}) {
    set.insert(json(text));
  }
  EXPECT_EQ(set.size(), 7U);
}

}  // namespace
}  // namespace restitch::bson
