#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "app/config.h"
#include "schema/schema.h"

namespace restitch::rules {

class CompiledRules;  // roles and filters of one rule object
class SchemaRules;    // `validate` expressions of one schema

// What applies to one namespace.
struct NamespaceRules {
  NamespaceRules(std::shared_ptr<const CompiledRules> compiled, std::string rules_file,
                 bool default_rule)
      : rules(std::move(compiled)), file(std::move(rules_file)), is_default(default_rule) {}

  std::shared_ptr<const CompiledRules> rules;     // never null
  std::shared_ptr<const schema::Schema> schema;   // null = no validation
  std::shared_ptr<const SchemaRules> validators;  // null = none
  std::string file;                               // of the rules, relative to the app root
  bool is_default = false;                        // the data source's default rule
};

// All rules and schemas of an app, compiled at deployment (spec: rules §1.1). Immutable,
// thread-safe.
class RuleSet {
 public:
  // Problems go to `findings`; nullptr if they are errors.
  static std::shared_ptr<const RuleSet> compile(const app::Config& config, app::Findings& findings);
  virtual ~RuleSet() = default;

  // Nothing when no rule applies (NoMatchingRuleFound), always for the reserved databases.
  virtual const NamespaceRules* find(std::string_view source, std::string_view database,
                                     std::string_view collection) const = 0;
  // Database and collection of the namespaces of a source that have rules of their own; those under
  // its default rule are not known.
  virtual std::vector<std::pair<std::string, std::string>> namespaces(
      std::string_view source) const = 0;
  // Every rule object once: those of the namespaces and the default rules. Without schemas, where
  // several namespaces share one.
  virtual std::vector<const NamespaceRules*> rule_objects() const = 0;
  // The namespace whose schema has this title; false if none.
  virtual bool resolve_title(std::string_view source, std::string_view title, std::string* database,
                             std::string* collection) const = 0;
};

}  // namespace restitch::rules
