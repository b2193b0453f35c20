#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "datasource/data_source.h"
#include "functions/function_service.h"
#include "rules/explain/coverage.h"
#include "runtime/task.h"

namespace restitch::deployment {

// One thing that a test demands and did not find.
struct RuleTestProblem {
  std::string what;  // "outcome", "role", "visible", …
  std::string expected, actual;
};

struct RuleTestResult {
  std::string file, name;
  std::vector<RuleTestProblem> problems;  // none: it passed
  std::vector<std::string> explanation;   // lines
  std::string why;                        // the telling part of them, on one line
};

struct RuleTestReport {
  std::vector<RuleTestResult> results;
  std::vector<rules::RuleCoverage::Item> coverage;

  std::size_t failures() const;
  int goals() const;    // what tests could bring about in the rules
  int reached() const;  // and did
};

struct RuleTestOptions {
  std::string directory;  // the app, or a directory in it
  std::string only;       // cases whose name contains this
  functions::FunctionService::Options functions;
};

// Runs the tests in tests/rules of a configuration directory: every case carries its operation out
// on `source`, in which nothing but the case's documents is. Errors: kNotFound when there are no
// tests, kInvalidArgument for a file that is wrong; with errors of the configuration in `findings`
// nothing is run.
Task<RuleTestReport> run_rule_tests(std::shared_ptr<datasource::DataSource> source,
                                    RuleTestOptions options, app::Findings& findings);

}  // namespace restitch::deployment
