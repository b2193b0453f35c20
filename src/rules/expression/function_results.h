#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "rules/context.h"
#include "rules/expression/resolved.h"
#include "rules/expression/tree.h"
#include "runtime/task.h"

namespace restitch::rules {

// Results of the functions that expressions call during one request. Expressions are evaluated
// synchronously: one that needs a result not yet there is pending; resolve() makes the call, and
// the evaluation is done again.
class FunctionResults {
 public:
  explicit FunctionResults(const EvaluationContext& context) : context_(context) {}

  // The result of this call, or a pending one after noting the call. `arguments` is an array.
  Resolved find(const Operand& call, bson::Document arguments);

  bool has_pending() const { return pending_.has_value(); }
  // Makes the noted call. A function that fails gives a failed result.
  Task<void> resolve();
  // While set, calls whose results are not known are pending and are not noted.
  void set_frozen(bool is_frozen) { is_frozen_ = is_frozen; }
  // Drops results that depend on the document looked at so far.
  void forget_document();

 private:
  using Key = std::pair<const Operand*, std::string>;
  struct Pending {
    const Operand* call;
    bson::Document arguments;
  };

  const EvaluationContext& context_;
  std::map<Key, Resolved> results_;
  std::optional<Pending> pending_;
  bool has_document_results_ = false;
  bool is_frozen_ = false;
};

}  // namespace restitch::rules
