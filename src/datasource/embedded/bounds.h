#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bson/document.h"
#include "query/comparator.h"
#include "query/filter/filter.h"

namespace restitch::datasource::embedded {

// A range of values of one index field, in ascending order of the values. The values are those of
// the query; the bytes are their encoded form (collated where the index is).
struct Interval {
  bson::Value low, high;
  std::string low_bytes, high_bytes;
  bool low_inclusive = true, high_inclusive = true;

  bool is_point() const { return low_inclusive && high_inclusive && low_bytes == high_bytes; }
  bool is_everything() const;
};

// Sorted and disjoint.
using Intervals = std::vector<Interval>;

Intervals everything();
Intervals point(bson::ValueView value, const query::Collation* collation);
Intervals intersection(const Intervals& a, const Intervals& b);
Intervals united(Intervals a, const Intervals& b);
Intervals complement(const Intervals& intervals);
bool is_everything(const Intervals& intervals);
bool all_points(const Intervals& intervals);

// What one predicate demands of an index key.
struct PredicateBounds {
  Intervals intervals;
  // Every key inside the intervals comes from a document that matches the predicate: no need to
  // look at it.
  bool is_exact = false;
};

// How an index field stores values and what is known about them.
struct BoundsContext {
  const query::Collation* index_collation = nullptr;
  const query::Collation* query_collation = nullptr;
  bool is_multikey = false;  // an array was met on the field's path
  bool is_hashed = false;
};

// Bounds of a leaf predicate (negated: of its complement). Nothing when the index cannot serve it.
std::optional<PredicateBounds> bounds_of(const query::FilterNode& node, bool is_negated,
                                         const BoundsContext& context);

// Bounds of a comparison of $expr, which orders values of all types and does not enter arrays.
std::optional<PredicateBounds> comparison_bounds(const query::FilterNode& node,
                                                 const BoundsContext& context);

// "[1, 5)": as explain prints it, from high to low when descending.
std::string to_text(const Interval& interval, bool descending);

}  // namespace restitch::datasource::embedded
