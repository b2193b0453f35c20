#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"
#include "query/filter/filter.h"

namespace restitch::query {

enum class ProjectionDialect : std::uint8_t { kFind, kAggregation };

// A compiled projection of find / findAndModify / $project (spec: mongodb-engine §7.1). Immutable, thread-safe.
class Projection {
 public:
  // `filter` is needed for the positional form "a.$" only and may be null otherwise.
  static Result<Projection> compile(bson::View spec, ProjectionDialect dialect, const CommandContext& context,
                                    const Filter* filter = nullptr);

  Result<bson::Document> apply(bson::View document, const MatchDetails* details = nullptr) const;

  bool is_identity() const;
  bool is_inclusive() const;
  bool needs_match_details() const;
  // Top-level and dotted paths an inclusive projection can read; empty optional = whole document.
  std::optional<std::set<std::string>> dependencies() const;

  struct Node;

 private:
  std::shared_ptr<const Node> root_;
};

}  // namespace restitch::query
