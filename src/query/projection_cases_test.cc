#include <gtest/gtest.h>

#include "query/case_file.h"
#include "query/projection.h"

namespace restitch::query {
namespace {

class ProjectionCase : public testing::TestWithParam<QueryCase> {};

TEST_P(ProjectionCase, holds) {
  const QueryCase& test = GetParam();
  CommandContext context;
  ASSERT_NO_FATAL_FAILURE(prepare_context(test, context));
  const auto filter = Filter::compile(test.object("filter"), context);
  ASSERT_TRUE(filter) << filter.error().message();
  const bool aggregation = test["dialect"].as_string() == "aggregation";
  const auto projection = Projection::compile(
      test.object("projection"),
      aggregation ? ProjectionDialect::kAggregation : ProjectionDialect::kFind, context, &*filter);
  if (!projection) return expect_error(test, projection.error());

  bson::Builder projected;
  projected.open_array("");
  for (const bson::Element& element : test.array("docs")) {
    const auto result = projection->apply(element.value.get_document());
    if (!result) return expect_error(test, result.error());
    projected.push(*result);
  }
  ASSERT_TRUE(test["error"].is_missing()) << "the error did not come";
  const bson::Document holder = std::move(projected).finish();
  expect_same(holder.view().begin()->value, test["expect"], "projected");

  if (const auto names = test["dependencies"].as_array()) {
    bson::Builder read;
    read.open_array("");
    const auto dependencies = projection->dependencies();
    ASSERT_TRUE(dependencies);
    for (const std::string& path : *dependencies) read.push(path);
    const bson::Document paths = std::move(read).finish();
    expect_same(paths.view().begin()->value, test["dependencies"], "dependencies");
  }
}

INSTANTIATE_TEST_SUITE_P(Query, ProjectionCase, testing::ValuesIn(load_query_cases("projection")),
                         query_case_name);

}  // namespace
}  // namespace restitch::query
