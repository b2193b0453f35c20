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

enum class FilterOp : std::uint8_t {
  kAnd, kOr, kNor, kNot,                     // children
  kEq, kGt, kGte, kLt, kLte,                 // path, operand ($ne is kNot over kEq)
  kIn,                                       // path, operand: array; regexes: the regex elements ($nin is kNot over kIn)
  kExists,                                   // path; {$exists: false} is kNot over kExists
  kType,                                     // path, types / any_number
  kMod, kRegex, kSize,                       // path
  kElemMatchObject, kElemMatchValue,         // path, one child ($elemMatch)
  kBits,                                     // path
  kExpr,                                     // expression
  kJsonSchema,
  kAlwaysTrue, kAlwaysFalse, kSampleRate,
};

enum class BitTest : std::uint8_t { kAllSet, kAllClear, kAnySet, kAnyClear };

// One node of a compiled filter. `$all` is a kAnd of kEq / kElemMatch nodes, an implicit conjunction is kAnd.
// Nodes are immutable after compilation; planners may read them.
struct FilterNode {
  FilterOp op = FilterOp::kAlwaysTrue;
  std::string path;                          // dotted; empty inside kElemMatchValue ("the element itself")
  std::vector<std::string> components;       // path, split
  bson::Value operand;
  std::vector<std::unique_ptr<FilterNode>> children;
  std::vector<Regex> regexes;                // kRegex: one; kIn: those among the operand's elements
  std::vector<bson::Type> types;             // kType
  bool any_number = false;                   // kType "number"
  std::int64_t divisor = 0, remainder = 0;   // kMod; kSize keeps the size in `remainder`
  BitTest bit_test = BitTest::kAllSet;
  std::vector<std::uint32_t> bit_positions;  // kBits, sorted
  double sample_rate = 0;
  std::shared_ptr<const Expression> expression;
  std::shared_ptr<const JsonSchema> schema;
};

struct FilterOptions {
  bool allow_expr = true;           // false in the query of an upsert (224) and in some contexts
  bool allow_where_and_text = false;
};

// Which array element satisfied the filter, for the positional operators `$` of updates and projections.
struct MatchDetails {
  std::optional<std::size_t> array_index;   // of the first array on the path of the deciding predicate
};

// A compiled query filter (spec: mongodb-engine §6.2, 6.3, 7). Immutable and thread-safe.
class Filter {
 public:
  // Errors carry MongoDB's codes and texts. `context` must outlive the filter.
  static Result<Filter> compile(bson::View query, const CommandContext& context, FilterOptions options = {});

  // Whether the document matches. Evaluation of $expr may fail: that is the error.
  Result<bool> matches(bson::View document, MatchDetails* details = nullptr) const;
  // For filters on bare values: $pull with operators, arrayFilters. The root stands for the value.
  Result<bool> matches_value(bson::ValueView value) const;

  const FilterNode& root() const { return *root_; }
  bool is_trivial() const { return root_->op == FilterOp::kAlwaysTrue; }
  // The value x when the whole filter is {_id: x} (or {$eq}), x not null, regex or array.
  std::optional<bson::ValueView> id_equality() const;

 private:
  std::shared_ptr<const FilterNode> root_;
  const CommandContext* context_ = nullptr;
};

}  // namespace restitch::query
