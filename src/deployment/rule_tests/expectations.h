#pragma once

#include "deployment/rule_tests/rule_tests.h"
#include "deployment/rule_tests/test_file.h"
#include "rules/explain/explanation.h"

namespace restitch::deployment {

// Puts what a case demands beside what came of its operation: fills `problems`, `explanation` and
// `why`.
void compare(const RuleTestCase& test, const Result<bson::Value>& outcome,
             const rules::Explanation& explanation, RuleTestResult& result);

}  // namespace restitch::deployment
