#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"

namespace restitch::query {

// Names of variables visible at a point of a specification, each with a slot number in Variables.
class VariableScope {
 public:
  // Slot of a user variable, or nothing.
  std::optional<std::size_t> find(std::string_view name) const;
  // A scope with one more variable (names may shadow); its slot is written to `slot`. Name rules:
  // error 9.
  Result<VariableScope> with(std::string_view name, std::size_t* slot) const;
  std::size_t size() const { return names_.size(); }

 private:
  std::vector<std::string> names_;
};

// What an expression is evaluated against.
struct EvalContext {
  const CommandContext& command;
  bson::View root;                         // $$ROOT
  std::vector<bson::Value>& variables;     // by slot
  std::optional<bson::ValueView> current;  // $$CURRENT when it is not the root ($redact)
};

// A compiled aggregation expression (spec: mongodb-engine §9). Immutable, thread-safe.
class Expression {
 public:
  static Result<std::shared_ptr<const Expression>> compile(bson::ValueView spec,
                                                           const CommandContext& context,
                                                           const VariableScope& scope);
  virtual ~Expression() = default;

  // A missing value is a legal result ("$absent", $$REMOVE).
  virtual Result<bson::Value> evaluate(EvalContext& context) const = 0;

  // The same without copying where the value stands in the document, a variable or the expression
  // already; other values are put into `storage`. The view lives as long as these three and until
  // the variable is assigned again.
  virtual Result<bson::ValueView> peek(EvalContext& context, bson::Value& storage) const;

  // The value, when it depends on neither document nor variables (constant folding has happened at
  // compilation).
  virtual std::optional<bson::ValueView> constant() const { return std::nullopt; }
  // Top-level fields of the document it reads; adds "" when it needs the whole document.
  virtual void add_dependencies(std::set<std::string>& fields) const = 0;

  // Convenience for a document without variables in scope.
  Result<bson::Value> evaluate(bson::View document, const CommandContext& context) const;
};

}  // namespace restitch::query
