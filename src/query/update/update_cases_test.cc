#include <gtest/gtest.h>

#include "query/case_file.h"
#include "query/update/update.h"

namespace restitch::query {
namespace {

class UpdateCase : public testing::TestWithParam<QueryCase> {
 protected:
  void run_upsert(const Update& update, const Filter& filter) {
    const QueryCase& test = GetParam();
    const auto result = update.upsert_document(filter, test.object("filter"));
    if (!result) return expect_error(test, result.error());
    ASSERT_TRUE(test["error"].is_missing()) << "the error did not come";
    bson::Document document = *result;
    ASSERT_EQ(document.view().begin()->name, "_id");
    if (test["generatedId"].as_bool().value_or(false)) {
      EXPECT_EQ(document["_id"].type(), bson::Type::kObjectId);
      bson::Builder rest;
      for (const bson::Element& element : document.view()) {
        if (element.name != "_id") rest.append(element.name, element.value);
      }
      document = std::move(rest).finish();
    }
    expect_same(as_value(document), test["expect"], "upserted");
  }

  void run_updates(const Update& update, const Filter& filter) {
    const QueryCase& test = GetParam();
    bson::Builder documents;
    documents.open_array("");
    bson::Builder descriptions;
    descriptions.open_array("");
    for (const bson::Element& element : test.array("docs")) {
      const bson::View before = element.value.get_document();
      MatchDetails details;
      const auto matched = filter.matches(before, &details);
      ASSERT_TRUE(matched && *matched) << "the filter does not match";
      const auto updated = update.apply(before, details);
      if (!updated) return expect_error(test, updated.error());
      documents.push(updated->document);
      add_description(*updated, descriptions);
      if (!updated->modified) expect_same(as_value(updated->document), element.value, "no-op");
    }
    ASSERT_TRUE(test["error"].is_missing()) << "the error did not come";
    ASSERT_FALSE(test["expect"].is_missing());
    const bson::Document posts = std::move(documents).finish();
    expect_same(posts.view().begin()->value, test["expect"], "updated");
    const bson::Document told = std::move(descriptions).finish();
    if (!test["descriptions"].is_missing()) {
      expect_same(told.view().begin()->value, test["descriptions"], "descriptions");
    }
  }

 private:
  // "noop", "replace", or the description without its empty members.
  static void add_description(const Updated& updated, bson::Builder& out) {
    if (!updated.modified) {
      out.push("noop");
    } else if (updated.is_replace) {
      out.push("replace");
    } else {
      out.push_object();
      for (const bson::Element& member : updated.description.view()) {
        if (!member.value.get_document().empty()) out.append(member.name, member.value);
      }
      if (!updated.disambiguated_paths.empty()) {
        out.append("disambiguatedPaths", updated.disambiguated_paths);
      }
      out.close();
    }
  }
};

TEST_P(UpdateCase, holds) {
  const QueryCase& test = GetParam();
  CommandContext context;
  ASSERT_NO_FATAL_FAILURE(prepare_context(test, context));
  FilterOptions filter_options;
  filter_options.allow_expr =
      !test["upsert"].as_bool().value_or(false) || test["allowExpr"].truthy();
  const auto filter = Filter::compile(test.object("filter"), context, filter_options);
  if (!filter) return expect_error(test, filter.error());
  UpdateOptions options;
  options.multi = test["multi"].as_bool().value_or(false);
  options.array_filters = test.array("arrayFilters");
  options.constants = test.object("constants");
  const auto update = Update::compile(test["update"], context, options);
  if (!update) return expect_error(test, update.error());
  if (test["upsert"].as_bool().value_or(false)) {
    run_upsert(*update, *filter);
  } else {
    run_updates(*update, *filter);
  }
}

INSTANTIATE_TEST_SUITE_P(Query, UpdateCase, testing::ValuesIn(load_query_cases("update")),
                         query_case_name);

class InsertCase : public testing::TestWithParam<QueryCase> {};

TEST_P(InsertCase, holds) {
  const QueryCase& test = GetParam();
  CommandContext context;
  ASSERT_NO_FATAL_FAILURE(prepare_context(test, context));
  // A case with `raw` gives its fields as pairs, so that a name can stand twice.
  bson::Builder builder;
  for (const bson::Element& pair : test.array("raw")) {
    auto at = pair.value.get_document().begin();
    const std::string name(at->value.get_string());
    builder.append(name, (++at)->value);
  }
  builder.append_all(test.object("insert"));
  const bson::Document document = std::move(builder).finish();
  const auto result = prepare_for_insert(document, context.cluster_time);
  if (!result) return expect_error(test, result.error());
  ASSERT_TRUE(test["error"].is_missing()) << "the error did not come";
  if (test["generatedId"].as_bool().value_or(false)) {
    ASSERT_EQ(result->view().begin()->name, "_id");
    ASSERT_EQ(result->view().begin()->value.type(), bson::Type::kObjectId);
    bson::Builder rest;
    for (const bson::Element& element : result->view()) {
      if (element.name != "_id") rest.append(element.name, element.value);
    }
    return expect_same(as_value(std::move(rest).finish()), test["expect"], "prepared");
  }
  expect_same(as_value(*result), test["expect"], "prepared");
}

INSTANTIATE_TEST_SUITE_P(Query, InsertCase, testing::ValuesIn(load_query_cases("insert")),
                         query_case_name);

}  // namespace
}  // namespace restitch::query
