#include "query/expression/expression.h"

#include <gtest/gtest.h>

#include "bson/extended_json.h"
#include "query/expression/calendar.h"

namespace restitch::query {
namespace {

using bson::Value;

Value json(std::string_view text) { return *bson::parse_json(text); }

std::set<std::string> dependencies_of(std::string_view text) {
  const CommandContext context;
  const Value spec = json(text);
  const auto expression = Expression::compile(spec, context, VariableScope());
  std::set<std::string> fields;
  (*expression)->add_dependencies(fields);
  return fields;
}

TEST(Expression, dependencies_are_top_level_fields) {
  EXPECT_EQ(dependencies_of(R"({"$add": ["$a.b", {"$cond": ["$c", 1, "$$ROOT.d"]}]})"),
            (std::set<std::string>{"a", "c", "d"}));
}

TEST(Expression, the_whole_document_is_an_empty_dependency) {
  EXPECT_EQ(dependencies_of(R"({"$bsonSize": "$$ROOT"})"), (std::set<std::string>{""}));
}

TEST(Expression, variables_are_no_dependencies) {
  EXPECT_EQ(dependencies_of(R"({"$map": {"input": "$a", "in": "$$this.b"}})"),
            (std::set<std::string>{"a"}));
}

TEST(Expression, constants_are_folded) {
  const CommandContext context;
  const Value spec = json(R"({"$add": [1, {"$multiply": [2, 3]}]})");
  const auto expression = Expression::compile(spec, context, VariableScope());
  ASSERT_TRUE((*expression)->constant());
  EXPECT_EQ((*expression)->constant()->get_int32(), 7);
}

TEST(Expression, the_clock_is_read_at_evaluation) {
  CommandContext context;
  const auto expression = Expression::compile(Value::of("$$NOW"), context, VariableScope());
  EXPECT_FALSE((*expression)->constant());
  context.now = bson::Date{42};
  EXPECT_EQ((*expression)->evaluate(bson::View(), context)->view().get_date().millis, 42);
}

TEST(Expression, variables_of_the_scope_come_by_slot) {
  const CommandContext context;
  std::size_t x = 0;
  std::size_t y = 0;
  const VariableScope scope = *VariableScope().with("x", &x);
  const VariableScope inner = *scope.with("y", &y);
  const Value spec =
      json(R"({"$concat": ["$$x", {"$let": {"vars": {"x": "b"}, "in": "$$x"}}, "$$y.z", "$$x"]})");
  const auto expression = Expression::compile(spec, context, inner);
  std::vector<Value> variables(2);
  variables[x] = Value::of("a");
  variables[y] = json(R"({"z": "c"})");
  EvalContext evaluation{context, bson::View(), variables, std::nullopt};
  EXPECT_EQ((*expression)->evaluate(evaluation)->view().get_string(), "abca");
}

TEST(Expression, short_variables_survive_the_growth_of_the_variables) {
  const CommandContext context;
  std::size_t x = 0;
  const VariableScope scope = *VariableScope().with("x", &x);
  const Value spec = json(
      R"({"$concat": ["$$x", {"$reduce": {"input": ["1", "2"], "initialValue": "", "in":
          {"$let": {"vars": {"a": "$$this", "b": "$$value"}, "in": {"$concat": ["$$b", "$$a"]}}}}}]})");
  const auto expression = Expression::compile(spec, context, scope);
  std::vector<Value> variables;
  variables.push_back(Value::of("s"));
  variables.shrink_to_fit();
  EvalContext evaluation{context, bson::View(), variables, std::nullopt};
  EXPECT_EQ((*expression)->evaluate(evaluation)->view().get_string(), "s12");
}

TEST(Expression, an_object_literal_with_a_name_twice_is_refused) {
  const CommandContext context;
  bson::Builder builder;
  builder.append("a", std::int32_t{1}).append("a", std::int32_t{2});
  const auto expression =
      Expression::compile(Value::of(std::move(builder).finish()), context, VariableScope());
  ASSERT_FALSE(expression);
  EXPECT_EQ(expression.error().mongo_code(), 16406);
}

TEST(Expression, peek_does_not_copy_what_stands_in_the_document) {
  const CommandContext context;
  const bson::Document document =
      *bson::parse_json_document(R"({"a": {"b": "a long enough string to be on the heap"}})");
  const auto expression = Expression::compile(Value::of("$a.b"), context, VariableScope());
  std::vector<Value> variables;
  EvalContext evaluation{context, document, variables, std::nullopt};
  Value storage;
  const auto peeked = (*expression)->peek(evaluation, storage);
  EXPECT_EQ(peeked->raw().data(), document["a"].get_document().find("b").raw().data());
  EXPECT_TRUE(storage.is_missing());
}

TEST(Calendar, days_and_dates_are_inverse) {
  for (std::int64_t days = -1000000; days <= 1000000; days += 137) {
    const CalendarTime time = calendar_time(days * kMillisPerDay);
    ASSERT_EQ(days_from_civil(time.year, time.month, time.day), days);
    const IsoWeek week = iso_week(days);
    ASSERT_EQ(days_from_iso_week(week.year, week.week, iso_day_of_week(days)), days);
  }
}

}  // namespace
}  // namespace restitch::query
