#include <gtest/gtest.h>

#include "query/case_file.h"
#include "query/filter/filter.h"

namespace restitch::query {
namespace {

class FilterCase : public testing::TestWithParam<QueryCase> {};

TEST_P(FilterCase, holds) {
  const QueryCase& test = GetParam();
  CommandContext context;
  ASSERT_NO_FATAL_FAILURE(prepare_context(test, context));
  FilterOptions options;
  options.allow_expr = test["allowExpr"].as_bool().value_or(true);
  options.allow_where_and_text = test["allowWhereAndText"].as_bool().value_or(false);
  const auto filter = Filter::compile(test.object("filter"), context, options);
  if (!filter) return expect_error(test, filter.error());

  bson::Builder matched;
  matched.open_array("");
  bson::Builder positions;
  positions.open_array("");
  bson::Builder explained;
  explained.open_array("");
  std::int32_t index = 0;
  for (const bson::Element& element : test.array("docs")) {
    const bson::View document = element.value.get_document();
    MatchDetails details;
    const auto result = filter->matches(document, &details);
    if (!result) return expect_error(test, result.error());
    if (*result) {
      matched.push(index);
      if (details.array_index) {
        positions.push(static_cast<std::int32_t>(*details.array_index));
      } else {
        positions.push(bson::Null{});
      }
    } else {
      explained.push(filter->explain_mismatch(document));
    }
    ++index;
  }
  ASSERT_TRUE(test["error"].is_missing()) << "the error did not come";
  const auto check = [&](std::string_view member, bson::Builder& builder) {
    const bson::Document holder = std::move(builder).finish();
    if (test[member].is_missing()) return;
    expect_same(holder.view().begin()->value, test[member], member);
  };
  ASSERT_FALSE(test["expect"].is_missing());
  check("expect", matched);
  check("positions", positions);
  check("explain", explained);
}

INSTANTIATE_TEST_SUITE_P(Query, FilterCase, testing::ValuesIn(load_query_cases("filter")),
                         query_case_name);

}  // namespace
}  // namespace restitch::query
