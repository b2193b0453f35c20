#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bson/extended_json.h"
#include "rules/data_access.h"
#include "rules/explain/coverage.h"
#include "rules/explain/stated_operation.h"
#include "rules/testing/case_reader.h"
#include "rules/testing/memory_source.h"
#include "rules/testing/wait_for.h"

namespace restitch::rules {
namespace {

using testing::Case;

// The app of a case over a data source that holds its documents.
class Scene {
 public:
  explicit Scene(bson::View content)
      : source_(std::make_shared<testing::MemorySource>(!content["standalone"].truthy())) {
    app::Findings findings;
    rules_ = RuleSet::compile(testing::read_config(content), findings);
    if (rules_ == nullptr) {
      ADD_FAILURE() << "the rules do not compile";
      return;
    }
    DataAccessSettings settings;
    settings.validation.null_allowed_for_optional = content["null_allowed"].truthy();
    if (content["no_regex"].truthy()) settings.allow_regex = false;
    if (const auto most = content["max_results"].as_integer()) {
      settings.max_result_documents = *most;
    }
    access_ = DataAccess::create(rules_, {{"mongodb-atlas", source_}}, settings);
    if (const auto documents = content["documents"].as_array()) {
      for (const bson::Element& element : *documents) {
        source_->put("shop.items", element.value.get_document());
      }
    }
  }

  DataAccess& access() { return *access_; }
  const RuleSet& rules() const { return *rules_; }
  bool is_ready() const { return access_ != nullptr; }
  std::vector<bson::Document> documents() const { return source_->documents("shop.items"); }

  Result<Explanation> explain(const Operation& operation, testing::CaseRequest& request,
                              ExplainOptions options) {
    const EvaluationContext context = request.context();
    return testing::wait_for(
        access_->explain_as_user(operation, context, std::move(options), datasource::kNoDeadline));
  }
  Result<bson::Value> run(const Operation& operation, testing::CaseRequest& request) {
    const EvaluationContext context = request.context();
    return testing::wait_for(access_->run_as_user(operation, context, datasource::kNoDeadline));
  }

 private:
  std::shared_ptr<testing::MemorySource> source_;
  std::shared_ptr<const RuleSet> rules_;
  std::shared_ptr<DataAccess> access_;
};

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string joined(bson::View lines) {
  std::string text;
  for (const bson::Element& line : lines) text += std::string(line.value.get_string()) + "\n";
  return text;
}

Result<Operation> stated_operation(bson::View stated) {
  bson::Builder whole;
  whole.append_all(stated);
  if (!stated.contains("database")) whole.append("database", "shop");
  if (!stated.contains("collection")) whole.append("collection", "items");
  const bson::Document filled = std::move(whole).finish();
  return parse_stated_operation(filled, {});
}

std::vector<std::string> secrets_of(bson::View content) {
  std::vector<std::string> secrets;
  if (const auto list = content["secrets"].as_array()) {
    for (const bson::Element& secret : *list) secrets.emplace_back(secret.value.get_string());
  }
  return secrets;
}

TEST(ExplainCases, say_what_is_expected) {
  const std::vector<Case> cases = testing::read_cases("explain");
  ASSERT_GT(cases.size(), 20U);
  for (const Case& test : cases) {
    SCOPED_TRACE(test.file + ": " + test.name());
    const bson::View content = test.content;
    Scene scene(content);
    ASSERT_TRUE(scene.is_ready());
    testing::CaseRequest request(content);
    const auto operation = stated_operation(content["operation"].get_document());
    ASSERT_TRUE(operation) << operation.error().message();
    ExplainOptions options;
    options.secrets = secrets_of(content);
    if (const auto first = content["first"].as_integer()) options.first = *first;
    const std::vector<bson::Document> before = scene.documents();
    const auto explanation = scene.explain(*operation, request, std::move(options));
    ASSERT_TRUE(explanation) << explanation.error().message();
    EXPECT_EQ(joined(to_lines(*explanation)), joined(content["lines"].get_document()));
    EXPECT_TRUE(scene.documents() == before) << "an explanation has written";
    const bson::Document document = to_document(*explanation);
    for (const std::string& secret : secrets_of(content)) {
      EXPECT_EQ(bson::to_json(document.view()).find(secret), std::string::npos);
    }
  }
}

// How many documents a result is about, where that can be told.
std::optional<std::int64_t> result_count(Action action, bson::ValueView result) {
  if (action == Action::kCount) return result.as_integer();
  if (action == Action::kFind) {
    return static_cast<std::int64_t>(result.get_document().count());
  }
  if (action == Action::kUpdateMany) return result.get_document()["matchedCount"].as_integer();
  if (action == Action::kDeleteMany) return result.get_document()["deletedCount"].as_integer();
  return std::nullopt;
}

std::int64_t explained_count(const Explanation& explanation) {
  std::int64_t count = 0;
  for (const DocumentReason& document : explanation.documents) {
    count += document.verdict != Verdict::kHidden && !document.is_new ? 1 : 0;
  }
  return count;
}

bool is_of_rules(const Error& error) {
  return error.code() == ErrorCode::kPermissionDenied ||
         error.code() == ErrorCode::kSchemaValidation ||
         error.code() == ErrorCode::kNoMatchingRule ||
         error.code() == ErrorCode::kInvalidArgument ||
         error.code() == ErrorCode::kFunctionExecution;
}

void expect_agreement(const Explanation& explanation, const Operation& operation,
                      const Result<bson::Value>& result) {
  if (!result) {
    if (!is_of_rules(result.error())) return;
    ASSERT_TRUE(explanation.refusal) << "not foreseen: " << result.error().message();
    EXPECT_EQ(explanation.refusal->message(), result.error().message());
    EXPECT_EQ(name_of(explanation.refusal->code()), name_of(result.error().code()));
    return;
  }
  EXPECT_FALSE(explanation.refusal) << explanation.refusal->message();
  const auto count = result_count(operation.action, result->view());
  const bool is_paged = operation.skip > 0 || operation.limit > 0;
  if (count && !is_paged) {
    EXPECT_EQ(explained_count(explanation), *count);
  }
}

// Every operation of the cases of operations: what is foreseen is what happens.
TEST(ExplainCases, explanations_agree_with_what_is_done) {
  std::size_t compared = 0;
  for (const Case& test : testing::read_cases("operation")) {
    SCOPED_TRACE(test.file + ": " + test.name());
    const bson::View content = test.content;
    if (content.contains("unique") || content.contains("max_results")) continue;
    Scene scene(content);
    if (!scene.is_ready()) continue;
    testing::CaseRequest request(content);
    for (const bson::Element& element : content["steps"].get_document()) {
      SCOPED_TRACE("step " + std::string(element.name));
      const bson::View step = element.value.get_document();
      if (step["as"].as_string() == "system") continue;
      const auto action = action_from_name(step["action"].get_string());
      bson::Builder argument;
      const bson::View args = step["args"].as_object().value_or(bson::View());
      if (!args.contains("database")) {
        argument.append("database", "shop").append("collection", "items");
      }
      argument.append_all(args);
      const bson::Document built = std::move(argument).finish();
      std::string title;
      const auto operation = parse_client_operation(*action, "mongodb-atlas", built, &title);
      if (!operation || step.contains("options")) continue;
      ExplainOptions options;
      options.first = 1000;
      const auto explanation = scene.explain(*operation, request, std::move(options));
      const auto result = scene.run(*operation, request);
      if (!explanation) continue;
      expect_agreement(*explanation, *operation, result);
      ++compared;
    }
  }
  EXPECT_GT(compared, 200U);
}

TEST(RuleCoverage, tells_what_was_never_true_or_never_false) {
  const auto content = bson::parse_json_document(R"({
    "roles": [
      {"name": "owner", "apply_when": {"owner": "%%user.id", "open": true}, "read": true,
       "fields": {"n": {"write": {"%%this": {"$gt": 0}}}}},
      {"name": "other", "apply_when": {}, "read": false}],
    "filters": [{"name": "f", "apply_when": {"%%user.type": "server"}, "query": {}}],
    "documents": [{"_id": 1, "owner": "u1", "open": true, "n": 1},
                  {"_id": 2, "owner": "u1", "open": false}],
    "user": {"id": "u1"}})");
  ASSERT_TRUE(content);
  Scene scene(*content);
  testing::CaseRequest request(*content);
  RuleCoverage coverage(scene.rules());
  Operation operation;
  operation.source = "mongodb-atlas";
  operation.database = "shop";
  operation.collection = "items";
  ExplainOptions options;
  options.coverage = &coverage;
  ASSERT_TRUE(scene.explain(operation, request, options));
  std::string text;
  for (const RuleCoverage::Item& item : coverage.items()) {
    text += item.pointer + (item.part.empty() ? "" : " " + item.part) + " " +
            std::to_string(item.count.is_true) + "/" + std::to_string(item.count.is_false) + " " +
            std::to_string(item.reached()) + " of " + std::to_string(item.goals()) + "\n";
  }
  EXPECT_EQ(text,
            "/roles/0/apply_when 1/1 2 of 2\n"
            "/roles/0/apply_when {\"owner\":\"%%user.id\"} 2/0 1 of 2\n"
            "/roles/0/apply_when {\"open\":true} 1/1 2 of 2\n"
            "/roles/0/read 1/0 1 of 1\n"
            "/roles/0/fields/n/write 0/0 0 of 2\n"
            "/roles/1/apply_when 1/0 1 of 1\n"
            "/roles/1/read 0/1 1 of 1\n"
            "/filters/0/apply_when 0/1 1 of 2\n");
}

}  // namespace
}  // namespace restitch::rules
