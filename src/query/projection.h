#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"
#include "query/filter/filter.h"

namespace restitch::query {

class VariableScope;

enum class ProjectionDialect : std::uint8_t { kFind, kAggregation };

// A compiled projection of find / findAndModify / $project (spec: mongodb-engine §7.1). Immutable,
// thread-safe.
class Projection {
 public:
  // `filter` is needed for the positional form "a.$" only and may be null otherwise. `scope`:
  // variables visible to expressions. Errors of the aggregation dialect carry the prefix "Invalid
  // $project :: caused by :: ".
  static Result<Projection> compile(bson::View spec, ProjectionDialect dialect,
                                    const CommandContext& context, const Filter* filter = nullptr,
                                    const VariableScope* scope = nullptr);

  // `details` is the match of `filter` on this document; without it a positional projection matches
  // again.
  Result<bson::Document> apply(bson::View document, const MatchDetails* details = nullptr) const;
  // The same with values for the variables of `scope`, by slot.
  Result<bson::Document> apply(bson::View document, std::vector<bson::Value>& variables) const;

  bool is_identity() const;
  bool is_inclusive() const;
  bool needs_match_details() const;
  // Top-level and dotted paths an inclusive projection can read; empty optional = whole document.
  std::optional<std::set<std::string>> dependencies() const;

  struct Program;

 private:
  std::shared_ptr<const Program> program_;
};

}  // namespace restitch::query
