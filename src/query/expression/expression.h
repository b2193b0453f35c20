#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"

namespace restitch::query {

// Names of variables visible at a point of a specification, each with a slot number in Variables.
class VariableScope {
 public:
  // Slot of a user variable, or nothing. Remembers that it was asked for.
  std::optional<std::size_t> find(std::string_view name) const;
  // A scope inside this one, to which names are bound before it is used (they may shadow).
  VariableScope nested() const;
  // The slot of one more variable. Name rules: error 9.
  Result<std::size_t> bind(std::string_view name);
  // A nested scope with one variable; its slot is written to `slot`.
  Result<VariableScope> with(std::string_view name, std::size_t* slot) const;
  std::size_t size() const { return size_; }

  // What was compiled in this scope, or one inside, gives another value every time it is evaluated.
  void note_chance() const {
    if (uses_) uses_->chance = true;
  }
  // Whether a variable with a slot in [begin, end) has been found, or chance been noted, since the
  // last call. Needs a nested scope.
  bool take_uses(std::size_t begin, std::size_t end) const;

 private:
  struct Frame {
    std::shared_ptr<const Frame> outer;
    std::unordered_map<std::string, std::size_t> slots;
  };
  struct Uses {
    std::vector<bool> slots;
    bool chance = false;
  };

  std::shared_ptr<const Frame> outer_;
  std::shared_ptr<Frame> top_;  // null: nothing is bound here
  std::shared_ptr<Uses>
      uses_;  // shared by all scopes inside the outermost; null before a variable is bound
  std::size_t size_ = 0;
};

// What an expression is evaluated against.
struct EvalContext {
  const CommandContext& command;
  bson::View root;                         // $$ROOT
  std::vector<bson::Value>& variables;     // by slot
  std::optional<bson::ValueView> current;  // $$CURRENT when it is not the root ($redact)
  std::size_t held = 0;                    // bytes of the intermediate values that are alive
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
