#include "deployment/rule_tests/test_functions.h"

#include <utility>

#include "bson/compare.h"
#include "bson/extended_json.h"

namespace restitch::deployment {
namespace {

std::string call_text(std::string_view name, bson::View arguments) {
  return std::string(name) + " " +
         bson::to_json(bson::Value::array(arguments).view(), bson::JsonMode::kRelaxed);
}

// A failure of the function itself: that is an answer too.
bool is_answer(const Error& error) {
  return error.code() == ErrorCode::kFunctionExecution ||
         error.code() == ErrorCode::kFunctionNotFound;
}

}  // namespace

// A list has one entry for each call that it answers; anything else is the result of every call.
Result<bson::Value> TestFunctions::stated_result(std::string_view name, bson::ValueView stated,
                                                 bson::View arguments) {
  const auto list = stated.as_array();
  if (!list) return bson::Value(stated);
  for (const bson::Element& element : *list) {
    const auto entry = element.value.as_object();
    if (!entry) continue;
    const auto wanted = (*entry)["arguments"].as_array();
    if (wanted && !bson::equal(*wanted, arguments)) continue;
    if (const auto text = (*entry)["throws"].as_string()) {
      return Error(ErrorCode::kFunctionExecution, std::string(*text));
    }
    const bson::ValueView result = (*entry)["result"];
    return result.is_missing() ? bson::Value::undefined() : bson::Value(result);
  }
  problem_ = "no result is stated for the call " + call_text(name, arguments);
  return Error(ErrorCode::kFunctionExecution, problem_);
}

Task<bson::Value> TestFunctions::call_for_rule(std::string_view name, bson::Document arguments,
                                               const rules::EvaluationContext& context) {
  for (const bson::View stated : stated_) {
    const bson::ValueView found = stated[name];
    if (!found.is_missing()) co_return stated_result(name, found, arguments);
  }
  if (config_.find_function(name) == nullptr) {
    problem_ = "the app has no function '" + std::string(name) + "', and the test states no result";
    co_return Error(ErrorCode::kFunctionNotFound, problem_);
  }
  auto result = co_await service_->call_for_rule(name, std::move(arguments), context);
  if (!result && !is_answer(result.error())) {
    problem_ = "the function '" + std::string(name) + "' cannot be run here (" +
               result.error().message() + "); state its result in \"functions\"";
  }
  co_return result;
}

}  // namespace restitch::deployment
