#pragma once

#include <optional>
#include <vector>

#include "datasource/embedded/bounds.h"
#include "datasource/embedded/index.h"
#include "datasource/embedded/predicates.h"
#include "query/sort.h"

namespace restitch::datasource::embedded {

// What a conjunction demands of one field of an index.
struct FieldBounds {
  Intervals intervals = everything();
  std::vector<const query::FilterNode*> exact_for;  // predicates that need no further test
  const query::FilterNode* group = nullptr;
  bool is_bounded = false;
};

// Bounds per field of the index (spec: mongodb-engine §10.4). On multikey paths only predicates
// that speak of the same element are combined.
std::vector<FieldBounds> match_index(const Index& index, const Conjunction& conjunction,
                                     const query::Collation* collation);

// How selective bounds look: 0 everything, 1 half-open, 2 a range, 3 points, 4 one point, 5
// nothing.
int strength(const Intervals& intervals);

bool same_collation(const query::Collation* a, const query::Collation* b);

// Reading an index in the order of a sort.
struct SortSupport {
  bool is_forward = true;
  // Field of the first sort part. Fields before it hold several points when `is_merged`: each
  // combination of them is then read on its own, and the streams are merged from this field on.
  std::size_t first_field = 0;
  bool is_merged = false;
};
// Leading fields fixed to one value (or, with `may_merge`, to several) may be skipped.
std::optional<SortSupport> sort_support(const Index& index, const std::vector<FieldBounds>& bounds,
                                        const query::SortPattern& sort,
                                        const query::Collation* collation, bool may_merge);

}  // namespace restitch::datasource::embedded
