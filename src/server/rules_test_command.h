#pragma once

#include <string>

namespace restitch::server {

struct RulesTestOptions {
  std::string directory = ".";
  std::string only;       // cases whose name contains this
  bool shows_why = false;       // the whole explanation of every failure
  bool shows_coverage = false;  // what was never true or never false
  bool json = false;
  std::string node = "node";
  std::string worker_script;
};

// `restitch rules test`: runs tests/rules of a configuration directory on an embedded cluster of its own. Exit codes: 0, 1 when
// a test failed or there is none, 2 when they could not be run.
int run_rules_test(const RulesTestOptions& options);

}  // namespace restitch::server
