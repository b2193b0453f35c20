#include <gtest/gtest.h>

#include <string>

#include "bson/extended_json.h"
#include "query/filter/filter.h"
#include "rules/expression.h"
#include "rules/testing/case_reader.h"
#include "rules/testing/wait_for.h"

namespace restitch::rules {
namespace {

using testing::Case;

Place place_of(bson::ValueView name) {
  const std::string_view text = name.as_string().value_or("role");
  if (text == "field") return Place::kField;
  if (text == "filter") return Place::kFilter;
  if (text == "function") return Place::kFunction;
  if (text == "validate") return Place::kSchemaValidate;
  return Place::kRole;
}

bool has_finding(const app::Findings& findings, app::FindingSeverity severity,
                 std::string_view text) {
  for (const app::Finding& finding : findings.list()) {
    const bool is_it =
        finding.severity == severity && finding.message.find(text) != std::string::npos;
    if (is_it) return true;
  }
  return false;
}

std::optional<bson::View> object(bson::ValueView value) { return value.as_object(); }

Documents documents_of(bson::View content) {
  Documents documents;
  documents.root = object(content["document"]);
  documents.prev_root = object(content["prev"]);
  if (!documents.prev_root && !content["insert"].truthy()) documents.prev_root = documents.root;
  documents.current = content["this"];
  documents.previous = content["prev_this"];
  return documents;
}

// What an expression's query must satisfy: every document for which it is true matches.
void expect_sound_query(const Expression& expression, const EvaluationContext& context,
                        bson::View document, bool is_true) {
  bool exact = false;
  const bson::Document query = expression.to_query(context, &exact);
  const query::CommandContext command;
  auto filter = query::Filter::compile(query, command);
  ASSERT_TRUE(filter) << bson::to_json(query) << ": " << filter.error().message();
  const bool matches = filter->matches(document).value();
  if (is_true) {
    EXPECT_TRUE(matches) << bson::to_json(query);
  }
  if (exact) {
    EXPECT_EQ(matches, is_true) << bson::to_json(query);
  }
}

void run_case(const Case& test) {
  const bson::View content = test.content;
  app::Findings findings;
  const auto expression = Expression::compile(
      bson::Value(content["expression"]), place_of(content["place"]), "rules.json", "/x", findings);
  if (const auto text = content["error"].as_string()) {
    EXPECT_EQ(expression, nullptr);
    EXPECT_TRUE(has_finding(findings, app::FindingSeverity::kError, *text))
        << (findings.list().empty() ? "nothing was found" : findings.list().front().message);
    return;
  }
  ASSERT_NE(expression, nullptr) << findings.list().front().message;
  if (const auto text = content["warning"].as_string()) {
    EXPECT_TRUE(has_finding(findings, app::FindingSeverity::kWarning, *text));
  }
  if (const auto needs = content["needs_document"].as_bool()) {
    EXPECT_EQ(expression->needs_document(), *needs);
  }
  testing::CaseRequest request(content);
  const EvaluationContext context = request.context();
  const Documents documents = documents_of(content);
  const bool expected = content["result"].get_bool();
  if (expression->calls_functions()) {
    EXPECT_EQ(testing::wait_for(expression->evaluate_async(context, documents)).value(), expected);
    const auto calls = content["calls"].as_array();
    if (!calls) return;
    std::size_t i = 0;
    for (const bson::Element& call : *calls) {
      ASSERT_LT(i, request.functions.calls.size());
      EXPECT_EQ(request.functions.calls[i++], call.value.get_string());
    }
    EXPECT_EQ(request.functions.calls.size(), i);
    return;
  }
  bool failed = false;
  EXPECT_EQ(expression->evaluate(context, documents, &failed), expected);
  EXPECT_EQ(failed, content["failed"].truthy());
  const bool is_stored = documents.root && !content.contains("prev") && !content["insert"].truthy();
  if (is_stored && documents.current.is_missing()) {
    expect_sound_query(*expression, context, *documents.root, expected);
  }
}

TEST(ExpressionCases, evaluate_as_told) {
  const auto cases = testing::read_cases("expression");
  ASSERT_GT(cases.size(), 100U);
  for (const Case& test : cases) {
    SCOPED_TRACE(test.file + ": " + test.name());
    run_case(test);
  }
}

}  // namespace
}  // namespace restitch::rules
