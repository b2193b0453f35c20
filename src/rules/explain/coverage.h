#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "rules/explain/decision_trace.h"
#include "rules/explain/permission_index.h"
#include "rules/rule_set.h"

namespace restitch::rules {

// How often each role, filter and permission of an app's rules, and each part of their expressions,
// was true and false. The rules outlive it. Not thread-safe.
class RuleCoverage {
 public:
  struct Count {
    std::uint64_t is_true = 0, is_false = 0, failed = 0;
  };
  // Something that is written in the rules.
  struct Item {
    std::string file, pointer;
    std::string owner, name;  // as NamedPermission
    NamedPermission::Kind kind = NamedPermission::Kind::kDocument;
    std::string part;          // of the expression, as JSON; "" = the whole of it
    bool is_constant = false;  // true or false by itself: only whether it was asked matters
    Count count;

    // What tests can bring about, and how much of it they have.
    int goals() const { return is_constant ? 1 : 2; }
    int reached() const;
  };

  explicit RuleCoverage(const RuleSet& rules);
  RuleCoverage(const RuleCoverage&) = delete;
  RuleCoverage& operator=(const RuleCoverage&) = delete;

  void add(const TracedAnswer& answer);
  void add(const DecisionTrace& trace) {
    for (const TracedAnswer& answer : trace.answers()) add(answer);
  }

  // In the order of files and what stands in them; without what is not stated.
  std::vector<Item> items() const;

 private:
  struct Entry {
    Count whole;
    std::vector<Count> parts;
  };

  std::vector<const NamespaceRules*> objects_;
  std::unordered_map<const Permission*, Entry> entries_;
};

}  // namespace restitch::rules
