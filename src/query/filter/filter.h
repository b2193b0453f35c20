#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"
#include "query/regex.h"

namespace restitch::query {

class Expression;
class JsonSchema;
class VariableScope;

enum class FilterOp : std::uint8_t {
  kAnd,
  kOr,
  kNor,
  kNot,  // children
  kEq,
  kGt,
  kGte,
  kLt,
  kLte,     // path, operand ($ne is kNot over kEq)
  kIn,      // path, operand: array; regexes: the regex elements ($nin is kNot over kIn)
  kExists,  // path; {$exists: false} is kNot over kExists
  kType,    // path, types / any_number
  kMod,
  kRegex,
  kSize,  // path
  kElemMatchObject,
  kElemMatchValue,  // path, one child ($elemMatch)
  kBits,            // path
  kExpr,            // expression
  kJsonSchema,
  kAlwaysTrue,
  kAlwaysFalse,
  kSampleRate,
};

enum class BitTest : std::uint8_t { kAllSet, kAllClear, kAnySet, kAnyClear };

// One node of a compiled filter. `$all` is a kAnd of kEq / kElemMatch nodes, an implicit
// conjunction is kAnd. Nodes are immutable after compilation; planners may read them.
struct FilterNode {
  FilterOp op = FilterOp::kAlwaysTrue;
  std::string path;  // dotted; empty inside kElemMatchValue ("the element itself")
  std::vector<std::string> components;  // path, split
  bson::Value operand;
  std::vector<bson::ValueView>
      in_values;  // kIn: distinct elements of the operand in comparator order, views into it
  bool in_has_null = false;  // kIn: null is among them
  std::vector<std::unique_ptr<FilterNode>> children;
  std::vector<Regex> regexes;               // kRegex: one; kIn: those among the operand's elements
  std::vector<bson::Type> types;            // kType
  bool any_number = false;                  // kType "number"
  std::int64_t divisor = 0, remainder = 0;  // kMod; kSize keeps the size in `remainder`
  BitTest bit_test = BitTest::kAllSet;
  std::vector<std::uint32_t> bit_positions;  // kBits, sorted
  double sample_rate = 0;
  std::shared_ptr<const Expression> expression;
  std::shared_ptr<const JsonSchema> schema;
};

struct FilterOptions {
  bool allow_expr = true;  // false in the query of an upsert (224) and in some contexts
  bool allow_where_and_text = false;
  bool allow_near = true;  // false where results cannot be sorted by distance (5626500)
  const VariableScope* scope = nullptr;  // variables visible to $expr; read during compilation only
};

// Which array element satisfied the filter, for the positional operators `$` of updates and
// projections.
struct MatchDetails {
  std::optional<std::size_t>
      array_index;  // of the first array on the path of the deciding predicate
};

// A compiled query filter (spec: mongodb-engine §6.2, 6.3, 7). Immutable and thread-safe.
class Filter {
 public:
  // Errors carry MongoDB's codes and texts. `context` must outlive the filter.
  static Result<Filter> compile(bson::View query, const CommandContext& context,
                                FilterOptions options = {});

  // Whether the document matches. Evaluation of $expr may fail: that is the error.
  Result<bool> matches(bson::View document, MatchDetails* details = nullptr) const;
  // The same with values for the variables of FilterOptions::scope, by slot.
  Result<bool> matches(bson::View document, std::vector<bson::Value>& variables) const;
  // For filters on bare values: $pull with operators, arrayFilters. The root stands for the value.
  // Only for filters of compile_operators and compile_array_filter.
  Result<bool> matches_value(bson::ValueView value) const;

  // {$gt: 5, $lt: 9} or a regex, applied to bare values.
  static Result<Filter> compile_operators(bson::ValueView operators, const CommandContext& context);
  // {"id.x": 1, "id.y": 2}: all top-level paths start with one identifier, which is written to
  // `identifier`.
  static Result<Filter> compile_array_filter(bson::View query, const CommandContext& context,
                                             std::string* identifier);

  // The `details` member of errInfo for a document that does not match (spec: mongodb-engine §11).
  bson::Document explain_mismatch(bson::View document) const;

  const FilterNode& root() const { return *root_; }
  bool is_trivial() const { return root_->op == FilterOp::kAlwaysTrue; }
  // The value x when the whole filter is {_id: x} (or {$eq}), x not null, regex or array.
  std::optional<bson::ValueView> id_equality() const;

 private:
  std::shared_ptr<const FilterNode> root_;
  const CommandContext* context_ = nullptr;
};

}  // namespace restitch::query
