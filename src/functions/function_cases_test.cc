#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "functions/function_test_support.h"

// Runs tests/data/functions/*.json. A file is {"functions": {name: source or {source,
// run_as_system, …}}, "values", "environment", "cases": [...]}; a case is
//   {"name", "call", "arguments": [...], "system": bool, "data": [answers of operations: {"value"}
//   or {"error"}],
//    and what must come: "result" (canonical Extended JSON; absent = undefined) or "error" (text)
//    with "code", "logs", "operations"}.
// Calls of one file share its workers, in order.

namespace restitch::functions {
namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string text_of(bson::ValueView value) { return std::string(value.as_string().value_or("")); }

app::FunctionConfig function_of(const bson::Element& element) {
  if (const auto source = element.value.as_string()) {
    return function(std::string(element.name), std::string(*source));
  }
  const bson::View settings = element.value.get_document();
  app::FunctionConfig config = function(std::string(element.name), text_of(settings["source"]));
  config.run_as_system = settings["run_as_system"].truthy();
  config.run_as_user_id = text_of(settings["run_as_user_id"]);
  config.run_as_user_id_script_source = text_of(settings["run_as_user_id_script_source"]);
  return config;
}

FunctionAppInfo app_of_file(bson::View file) {
  std::vector<app::FunctionConfig> functions;
  for (const bson::Element& element : file["functions"].get_document()) {
    functions.push_back(function_of(element));
  }
  FunctionAppInfo app = app_of(std::move(functions));
  if (const auto values = file["values"].as_object()) app.values = bson::Document(*values);
  if (const auto values = file["environment"].as_object()) {
    app.environment_tag = "testing";
    app.environment_values = bson::Document(*values);
  }
  app.services.emplace_back("files", "aws");
  return app;
}

std::vector<Result<bson::Value>> answers_of(bson::View test) {
  std::vector<Result<bson::Value>> answers;
  const auto data = test["data"].as_array();
  if (!data) return answers;
  for (const bson::Element& element : *data) {
    const bson::View answer = element.value.get_document();
    if (const auto error = answer["error"].as_string()) {
      const auto code = static_cast<int>(answer["code"].as_integer().value_or(0));
      answers.emplace_back(Error(ErrorCode::kMongo, code, std::string(*error)));
    } else {
      answers.emplace_back(bson::Value(answer["value"]));
    }
  }
  return answers;
}

bson::Document array_of(const std::vector<bson::Document>& documents) {
  bson::Builder builder;
  builder.open_array("all");
  for (const bson::Document& document : documents) builder.push(document.view());
  builder.close();
  const bson::Document holder = std::move(builder).finish();
  return bson::Document(holder["all"].get_document());
}

// Only the expected members of each operation are compared.
std::string selected(bson::View expected, const std::vector<bson::Document>& seen) {
  std::vector<bson::Document> result;
  auto wanted = expected.begin();
  for (const bson::Document& operation : seen) {
    bson::Builder builder;
    if (wanted != expected.end()) {
      for (const bson::Element& member : wanted->value.get_document()) {
        builder.append(member.name, operation[member.name]);
      }
      ++wanted;
    }
    result.push_back(std::move(builder).finish());
  }
  return bson::to_json(bson::Value::array(array_of(result)));
}

std::string joined(const std::vector<std::string>& lines) {
  std::string result;
  for (const std::string& line : lines) result += line + "\n";
  return result;
}

std::string joined(bson::View array) {
  std::string result;
  for (const bson::Element& element : array) result += text_of(element.value) + "\n";
  return result;
}

CallRequest request_of(bson::View test) {
  CallRequest request = ServiceHarness::request(text_of(test["call"]));
  if (const auto arguments = test["arguments"].as_array())
    request.arguments = bson::Document(*arguments);
  request.system_caller = test["system"].truthy();
  if (request.system_caller) {
    request.user = rules::User();
    request.user.type = "system";
  }
  request.source = text_of(test["source"]);
  request.request.remote_ip = "192.0.2.1";
  return request;
}

void check_result(bson::View test, const Outcome& outcome) {
  if (const auto error = test["error"].as_string()) {
    ASSERT_TRUE(outcome.error) << "no error but " << json(outcome.value.value);
    EXPECT_EQ(outcome.error->message(), *error);
    if (const auto code = test["code"].as_string()) {
      EXPECT_EQ(name_of(outcome.error->code()), *code);
    }
    return;
  }
  ASSERT_FALSE(outcome.error) << outcome.error->message() << "\n" << outcome.error->detail();
  const bson::ValueView expected = test["result"];
  EXPECT_EQ(
      json(outcome.value.value),
      bson::to_json(expected.is_missing() ? bson::Value::undefined() : bson::Value(expected)));
}

void run_case(ServiceHarness& harness, bson::View test) {
  SCOPED_TRACE(text_of(test["name"]));
  harness.data().prepare(answers_of(test));
  const Outcome outcome = harness.call(request_of(test));
  check_result(test, outcome);
  if (const auto logs = test["logs"].as_array()) {
    EXPECT_EQ(joined(harness.last_logged().value.logs), joined(*logs));
  }
  if (const auto operations = test["operations"].as_array()) {
    EXPECT_EQ(selected(*operations, harness.data().seen()),
              bson::to_json(bson::Value::array(*operations)));
  }
}

class FunctionCases : public testing::TestWithParam<std::string> {};

TEST_P(FunctionCases, behave_as_described) {
  const auto file = bson::parse_json_document(read_file(
      std::filesystem::path(RESTITCH_SOURCE_DIR "/tests/data/functions") / (GetParam() + ".json")));
  ASSERT_TRUE(file) << file.error().message();
  auto users = [](std::string id) -> Task<rules::User> {
    rules::User user;
    user.id = std::move(id);
    co_return user;
  };
  ServiceHarness harness(app_of_file(*file), {}, users);
  for (const bson::Element& test : (*file)["cases"].get_document()) {
    run_case(harness, test.value.get_document());
  }
}

std::vector<std::string> case_files() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(RESTITCH_SOURCE_DIR "/tests/data/functions")) {
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

INSTANTIATE_TEST_SUITE_P(Files, FunctionCases, testing::ValuesIn(case_files()),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace restitch::functions
