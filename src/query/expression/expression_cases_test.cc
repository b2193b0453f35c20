#include <gtest/gtest.h>

#include "query/case_file.h"
#include "query/expression/expression.h"

namespace restitch::query {
namespace {

class ExpressionCase : public testing::TestWithParam<QueryCase> {};

// `expression` is evaluated against the first of `docs` ({} if there is none); without `expect` and
// `error` the result must be missing.
TEST_P(ExpressionCase, holds) {
  const QueryCase& test = GetParam();
  CommandContext context;
  ASSERT_NO_FATAL_FAILURE(prepare_context(test, context));
  if (const auto limit = test["memoryLimit"].as_integer()) context.memory_limit = *limit;
  const auto expression = Expression::compile(test["expression"], context, VariableScope());
  if (!expression) return expect_error(test, expression.error());
  const bson::View documents = test.array("docs");
  const bson::View document =
      documents.empty() ? bson::View() : documents.begin()->value.get_document();
  const auto result = (*expression)->evaluate(document, context);
  if (!result) return expect_error(test, result.error());
  ASSERT_TRUE(test["error"].is_missing())
      << "the error did not come; the result is " << bson::to_json(result->view());
  expect_same(*result, test["expect"], "result");

  // The way without copies must tell the same.
  std::vector<bson::Value> variables;
  EvalContext evaluation{context, document, variables, std::nullopt};
  bson::Value storage;
  const auto peeked = (*expression)->peek(evaluation, storage);
  ASSERT_TRUE(peeked);
  if (test["volatile"].is_missing()) expect_same(*peeked, test["expect"], "peeked result");
}

INSTANTIATE_TEST_SUITE_P(Query, ExpressionCase, testing::ValuesIn(load_query_cases("expression")),
                         query_case_name);

}  // namespace
}  // namespace restitch::query
