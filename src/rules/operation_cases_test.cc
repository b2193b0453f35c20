#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bson/extended_json.h"
#include "rules/data_access.h"
#include "rules/testing/case_reader.h"
#include "rules/testing/store.h"
#include "rules/testing/wait_for.h"

namespace restitch::rules {
namespace {

using testing::Case;

// An app with one collection, its data and its request.
class Scene {
 public:
  Scene(bson::View content, std::unique_ptr<testing::Store> store)
      : store_(std::move(store)),
        source_(std::make_shared<testing::RecordingSource>(store_->source())) {
    app::Findings findings;
    const auto rules = RuleSet::compile(testing::read_config(content), findings);
    if (rules == nullptr) {
      ADD_FAILURE() << app_error(findings);
      return;
    }
    DataAccessSettings settings;
    settings.validation.null_allowed_for_optional = content["null_allowed"].truthy();
    if (content["no_regex"].truthy()) settings.allow_regex = false;
    const auto most = content["max_results"].as_integer();
    if (most) settings.max_result_documents = *most;
    access_ = DataAccess::create(rules, {{"mongodb-atlas", source_}}, settings);
    if (const auto documents = content["documents"].as_array()) {
      for (const bson::Element& element : *documents) {
        store_->put(element.value.get_document());
      }
    }
    if (const auto field = content["unique"].as_string()) {
      store_->make_unique(std::string(*field));
    }
  }

  bool is_ready() const { return access_ != nullptr; }
  testing::RecordingSource& source() { return *source_; }
  std::vector<bson::Document> documents() { return store_->documents(); }

  Result<bson::Value> run(bson::View step, testing::CaseRequest& request) {
    const auto action = action_from_name(step["action"].get_string());
    bson::Builder argument;
    if (!step["args"].as_object() || !(*step["args"].as_object()).contains("database")) {
      argument.append("database", "shop").append("collection", "items");
    }
    if (const auto args = step["args"].as_object()) argument.append_all(*args);
    const bson::Document built = std::move(argument).finish();
    std::string title;
    RESTITCH_TRY(Operation operation,
                 parse_client_operation(*action, "mongodb-atlas", built, &title));
    operation.options = bson::Document(step["options"].as_object().value_or(bson::View()));
    if (step["as"].as_string() == "system") {
      return testing::wait_for(
          access_->run_as_system(std::move(operation), datasource::kNoDeadline));
    }
    const EvaluationContext context = request.context();
    return testing::wait_for(
        access_->run_as_user(std::move(operation), context, datasource::kNoDeadline));
  }

 private:
  static std::string app_error(const app::Findings& findings) {
    return findings.list().empty() ? "no rules" : findings.list().front().message;
  }

  std::unique_ptr<testing::Store> store_;
  std::shared_ptr<testing::RecordingSource> source_;
  std::shared_ptr<DataAccess> access_;
};

std::string text_of(bson::ValueView value) { return bson::to_json(value); }

void expect_error(const Result<bson::Value>& result, bson::View expected) {
  ASSERT_FALSE(result) << text_of(result.value());
  const Error& error = result.error();
  if (const auto code = expected["code"].as_string()) {
    EXPECT_EQ(name_of(error.code()), *code);
  }
  if (const auto text = expected["message"].as_string()) {
    EXPECT_EQ(error.message(), *text);
  }
  if (const auto text = expected["contains"].as_string()) {
    EXPECT_NE(error.message().find(*text), std::string::npos) << error.message();
  }
  if (const auto text = expected["lacks"].as_string()) {
    EXPECT_EQ(error.message().find(*text), std::string::npos) << error.message();
  }
  if (const auto text = expected["detail"].as_string()) {
    EXPECT_NE(error.detail().find(*text), std::string::npos) << error.detail();
  }
}

void run_step(Scene& scene, bson::View step, testing::CaseRequest& request) {
  scene.source().commands.clear();
  const Result<bson::Value> result = scene.run(step, request);
  if (const auto error = step["error"].as_object()) {
    expect_error(result, *error);
  } else if (const auto members = step["has_only"].as_array()) {
    // A document whose values are not known beforehand.
    ASSERT_TRUE(result) << result.error().message();
    std::size_t count = 0;
    for (const bson::Element& member : *members) {
      EXPECT_TRUE(result->view().get_document().contains(member.value.get_string()));
      ++count;
    }
    EXPECT_EQ(result->view().get_document().count(), count) << text_of(*result);
  } else {
    ASSERT_TRUE(result) << result.error().message() << " " << result.error().detail();
    EXPECT_EQ(text_of(*result), text_of(step["result"]));
  }
  if (const auto commands = step["commands"].as_array()) {
    std::string expected;
    for (const bson::Element& name : *commands) {
      expected += std::string(name.value.get_string()) + " ";
    }
    std::string seen;
    for (const std::string& name : scene.source().commands) seen += name + " ";
    EXPECT_EQ(seen, expected);
  }
}

void run_case(const Case& test, std::unique_ptr<testing::Store> store) {
  const bson::View content = test.content;
  Scene scene(content, std::move(store));
  if (!scene.is_ready()) return;
  testing::CaseRequest request(content);
  for (const bson::Element& step : content["steps"].get_document()) {
    SCOPED_TRACE("step " + std::string(step.name));
    run_step(scene, step.value.get_document(), request);
  }
  if (const auto stored = content["stored"].as_array()) {
    bson::Builder seen;
    for (const bson::Document& document : scene.documents()) seen.push(document);
    EXPECT_EQ(text_of(bson::Value::array(std::move(seen).finish())), text_of(content["stored"]));
  }
  if (const auto calls = content["calls"].as_integer()) {
    EXPECT_EQ(static_cast<std::int64_t>(request.functions.calls.size()), *calls);
  }
}

TEST(OperationCases, run_as_told_in_memory) {
  const auto cases = testing::read_cases("operation");
  ASSERT_GT(cases.size(), 250U);
  for (const Case& test : cases) {
    SCOPED_TRACE(test.file + ": " + test.name());
    run_case(test, testing::memory_store(!test.content["standalone"].truthy()));
  }
}

TEST(OperationCases, run_as_told_on_the_embedded_cluster) {
  for (const Case& test : testing::read_cases("operation")) {
    if (test.content["standalone"].truthy()) continue;
    SCOPED_TRACE(test.file + ": " + test.name());
    run_case(test, testing::embedded_store());
  }
}

}  // namespace
}  // namespace restitch::rules
