#include <gtest/gtest.h>

#include "query/case_file.h"
#include "query/sort.h"

namespace restitch::query {
namespace {

class SortCase : public testing::TestWithParam<QueryCase> {};

TEST_P(SortCase, holds) {
  const QueryCase& test = GetParam();
  CommandContext context;
  ASSERT_NO_FATAL_FAILURE(prepare_context(test, context));
  const auto pattern = SortPattern::compile(test.object("sort"), context);
  if (!pattern) return expect_error(test, pattern.error());

  std::vector<std::pair<std::string, bson::ValueView>> keyed;
  for (const bson::Element& element : test.array("docs")) {
    auto key = pattern->key_of(element.value.get_document());
    if (!key) return expect_error(test, key.error());
    keyed.emplace_back(*std::move(key), element.value);
  }
  ASSERT_TRUE(test["error"].is_missing()) << "the error did not come";
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  bson::Builder sorted;
  sorted.open_array("");
  for (const auto& [key, document] : keyed) sorted.push(document);
  const bson::Document holder = std::move(sorted).finish();
  expect_same(holder.view().begin()->value, test["expect"], "sorted");
}

INSTANTIATE_TEST_SUITE_P(Query, SortCase, testing::ValuesIn(load_query_cases("sort")),
                         query_case_name);

}  // namespace
}  // namespace restitch::query
