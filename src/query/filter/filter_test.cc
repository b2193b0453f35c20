#include "query/filter/filter.h"

#include <gtest/gtest.h>

#include "bson/extended_json.h"

namespace restitch::query {
namespace {

bson::Document json(std::string_view text) {
  auto document = bson::parse_json_document(text);
  EXPECT_TRUE(document) << document.error().message();
  return *document;
}

class FilterTest : public testing::Test {
 protected:
  Filter compiled(std::string_view text) {
    auto filter = Filter::compile(json(text), context_);
    EXPECT_TRUE(filter) << filter.error().message();
    return *filter;
  }

  CommandContext context_;
};

TEST_F(FilterTest, empty_query_is_trivial) {
  EXPECT_TRUE(compiled("{}").is_trivial());
  EXPECT_TRUE(compiled(R"({"$comment":"x"})").is_trivial());
  EXPECT_FALSE(compiled(R"({"a":1})").is_trivial());
}

TEST_F(FilterTest, id_equality_is_found) {
  EXPECT_EQ(compiled(R"({"_id":5})").id_equality()->get_int32(), 5);
  EXPECT_EQ(compiled(R"({"_id":{"$eq":5}})").id_equality()->get_int32(), 5);
  EXPECT_EQ(compiled(R"({"$and":[{"_id":5}]})").id_equality()->get_int32(), 5);
  EXPECT_TRUE(compiled(R"({"_id":{"a":1}})").id_equality());
}

TEST_F(FilterTest, other_queries_are_no_id_equality) {
  for (const char* query :
       {R"({"_id":null})", R"({"_id":[1]})", R"({"_id":{"$gt":1}})", R"({"_id":1,"a":1})",
        R"({"a":1})", R"({"_id":{"$in":[1]}})",
        R"({"_id":{"$eq":{"$regularExpression":{"pattern":"x","options":""}}}})"}) {
    EXPECT_FALSE(compiled(query).id_equality()) << query;
  }
}

TEST_F(FilterTest, implicit_conjunction_is_flat) {
  const Filter filter = compiled(R"({"a":{"$gt":1,"$lt":5},"b":2})");
  ASSERT_EQ(filter.root().op, FilterOp::kAnd);
  ASSERT_EQ(filter.root().children.size(), 3U);
  EXPECT_EQ(filter.root().children[0]->op, FilterOp::kGt);
  EXPECT_EQ(filter.root().children[0]->components, (std::vector<std::string>{"a"}));
  EXPECT_EQ(filter.root().children[2]->op, FilterOp::kEq);
}

TEST_F(FilterTest, values_of_in_are_sorted_and_distinct) {
  const Filter filter = compiled(R"({"a":{"$in":[3,1,1.0,"x",null]}})");
  ASSERT_EQ(filter.root().op, FilterOp::kIn);
  ASSERT_EQ(filter.root().in_values.size(), 4U);
  EXPECT_EQ(filter.root().in_values[0].type(), bson::Type::kNull);
  EXPECT_EQ(filter.root().in_values[1].get_int32(), 1);
  EXPECT_TRUE(filter.root().in_has_null);
}

TEST_F(FilterTest, operators_apply_to_bare_values) {
  const bson::Document operators = json(R"({"$gt":3,"$lt":9})");
  const auto filter = Filter::compile_operators(bson::Value::object(operators.view()), context_);
  ASSERT_TRUE(filter);
  EXPECT_TRUE(*filter->matches_value(bson::Value::of(5)));
  EXPECT_FALSE(*filter->matches_value(bson::Value::of(9)));
  // As for a field's value, elements of an array count.
  EXPECT_TRUE(*filter->matches_value(bson::parse_json("[5]")->view()));
}

TEST_F(FilterTest, array_filter_takes_off_its_identifier) {
  std::string identifier;
  const auto filter = Filter::compile_array_filter(
      json(R"({"el.a":1,"$or":[{"el.b":2},{"el":7}]})"), context_, &identifier);
  ASSERT_TRUE(filter) << filter.error().message();
  EXPECT_EQ(identifier, "el");
  EXPECT_TRUE(*filter->matches_value(bson::parse_json(R"({"a":1,"b":2})")->view()));
  EXPECT_FALSE(*filter->matches_value(bson::parse_json(R"({"a":1,"b":3})")->view()));
}

TEST_F(FilterTest, compiled_filter_outlives_its_query) {
  auto filter = [&] {
    const bson::Document query =
        json(R"({"a":{"$in":["long enough to leave the inline buffer"]}})");
    return Filter::compile(query, context_);
  }();
  EXPECT_TRUE(*filter->matches(json(R"({"a":"long enough to leave the inline buffer"})")));
}

}  // namespace
}  // namespace restitch::query
