#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "functions/function_service.h"
#include "rules/context.h"

namespace restitch::deployment {

// The functions that rules call in a test: those whose results the test states, else the app's own.
class TestFunctions : public rules::FunctionCaller {
 public:
  TestFunctions(const app::Config& config, std::shared_ptr<functions::FunctionService> service)
      : config_(config), service_(std::move(service)) {}

  // The results stated by the case go before those of the file. Both outlive the case.
  void begin_case(bson::View of_case, bson::View of_file) {
    stated_ = {of_case, of_file};
    problem_.clear();
  }
  // Why a function could not answer, which is the test's fault, not the function's; "" if all did.
  const std::string& problem() const { return problem_; }

  Task<bson::Value> call_for_rule(std::string_view name, bson::Document arguments,
                                  const rules::EvaluationContext& context) override;

 private:
  Result<bson::Value> stated_result(std::string_view name, bson::ValueView stated,
                                    bson::View arguments);

  const app::Config& config_;
  std::shared_ptr<functions::FunctionService> service_;
  std::vector<bson::View> stated_;
  std::string problem_;
};

}  // namespace restitch::deployment
