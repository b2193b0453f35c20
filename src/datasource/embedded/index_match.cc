#include "datasource/embedded/index_match.h"

#include <algorithm>

namespace restitch::datasource::embedded {

namespace {

using bson::Type;
using query::FilterNode;

class IndexMatcher {
 public:
  IndexMatcher(const Index& index, const Conjunction& conjunction,
               const query::Collation* collation)
      : index_(index), conjunction_(conjunction), collation_(collation) {}

  std::vector<FieldBounds> run() {
    std::vector<FieldBounds> all(index_.fields.size());
    for (std::size_t field = 0; field < all.size(); ++field) all[field] = bounds_of_field(field);
    drop_conflicting(all);
    return all;
  }

 private:
  FieldBounds bounds_of_field(std::size_t field) {
    const IndexField& described = index_.fields[field];
    const bool is_multikey = index_.multikey_bits(field) != 0;
    FieldBounds result;
    if (described.has_numeric_component && is_multikey) return result;
    BoundsContext context;
    context.index_collation = index_.collation.get();
    context.query_collation = collation_;
    context.is_multikey = is_multikey;
    context.is_hashed = described.hashed;
    for (const Predicate& predicate : conjunction_.predicates) {
      if (predicate.path != described.path) continue;
      // Of an array's elements those without the path have no keys.
      const bool lacks_keys = index_.sparse && index_.is_multikey() && !needs_presence(predicate);
      if (lacks_keys) continue;
      auto bounds = predicate.comparison
                        ? comparison_bounds(*predicate.comparison, context)
                        : bounds_of(*predicate.node, predicate.is_negated, context);
      if (bounds) add(result, predicate, std::move(*bounds), is_multikey);
    }
    return result;
  }

  // On a multikey path different elements may satisfy different predicates, so their bounds must
  // not be intersected.
  static void add(FieldBounds& field, const Predicate& predicate, PredicateBounds bounds,
                  bool is_multikey) {
    const bool may_intersect =
        !field.is_bounded || !is_multikey ||
        (predicate.element_group != nullptr && predicate.element_group == field.group);
    if (may_intersect) {
      field.intervals = field.is_bounded ? intersection(field.intervals, bounds.intervals)
                                         : std::move(bounds.intervals);
    } else {
      if (strength(bounds.intervals) <= strength(field.intervals)) return;
      field = FieldBounds();
      field.intervals = std::move(bounds.intervals);
    }
    field.group = predicate.element_group;
    field.is_bounded = true;
    if (bounds.is_exact && predicate.element_group == nullptr) {
      field.exact_for.push_back(predicate.node);
    }
  }

  // Two fields below the same array: each document has one key per element, so bounds on both would
  // speak of the same element. Only the first keeps its bounds, unless one $elemMatch says so.
  void drop_conflicting(std::vector<FieldBounds>& all) const {
    for (std::size_t later = 1; later < all.size(); ++later) {
      if (!all[later].is_bounded) continue;
      for (std::size_t earlier = 0; earlier < later; ++earlier) {
        if (!all[earlier].is_bounded || !share_array(earlier, later)) continue;
        if (all[later].group != nullptr && all[later].group == all[earlier].group) continue;
        all[later] = FieldBounds();
        break;
      }
    }
  }

  bool share_array(std::size_t a, std::size_t b) const {
    const std::uint64_t both = index_.multikey_bits(a) & index_.multikey_bits(b);
    const auto& left = index_.fields[a].components;
    const auto& right = index_.fields[b].components;
    for (std::size_t at = 0; at < std::min(left.size(), right.size()); ++at) {
      if (left[at] != right[at]) return false;
      if ((both >> at & 1U) != 0) return true;
    }
    return false;
  }

  const Index& index_;
  const Conjunction& conjunction_;
  const query::Collation* collation_;
};

}  // namespace

std::vector<FieldBounds> match_index(const Index& index, const Conjunction& conjunction,
                                     const query::Collation* collation) {
  return IndexMatcher(index, conjunction, collation).run();
}

int strength(const Intervals& intervals) {
  if (intervals.empty()) return 5;
  if (is_everything(intervals)) return 0;
  if (all_points(intervals)) return intervals.size() == 1 ? 4 : 3;
  const bool is_half_open = intervals.size() > 1 || intervals.front().low.type() == Type::kMinKey ||
                            intervals.front().high.type() == Type::kMaxKey;
  return is_half_open ? 1 : 2;
}

bool same_collation(const query::Collation* a, const query::Collation* b) {
  if (a == b) return true;
  return a != nullptr && b != nullptr && a->spec() == b->spec();
}

std::optional<SortSupport> sort_support(const Index& index, const std::vector<FieldBounds>& bounds,
                                        const query::SortPattern& sort,
                                        const query::Collation* collation, bool may_merge) {
  if (!same_collation(index.collation.get(), collation)) return std::nullopt;
  SortSupport support;
  const auto is_fixed = [&](std::size_t field) {
    return bounds[field].intervals.size() == 1 && bounds[field].intervals.front().is_point() &&
           index.multikey_bits(field) == 0;
  };
  const auto is_explodable = [&](std::size_t field) {
    const Intervals& intervals = bounds[field].intervals;
    return !intervals.empty() && all_points(intervals) && index.multikey_bits(field) == 0;
  };
  std::size_t field = 0;
  std::optional<bool> is_forward;
  for (const query::SortPart& part : sort.parts()) {
    while (field < index.fields.size() && index.fields[field].path != part.path) {
      if (!is_fixed(field)) {
        if (!may_merge || is_forward || !is_explodable(field)) break;
        support.is_merged = true;
      }
      ++field;
    }
    if (field == index.fields.size() || index.fields[field].path != part.path ||
        index.fields[field].hashed) {
      // A sort part on a field that is fixed by an earlier equality does not matter.
      bool is_constant = false;
      for (std::size_t other = 0; other < index.fields.size(); ++other) {
        if (index.fields[other].path == part.path && is_fixed(other)) is_constant = true;
      }
      if (is_constant) continue;
      return std::nullopt;
    }
    if (index.multikey_bits(field) != 0) {
      // Every key of a document must be in the scan, or its least one might not be. A sparse index
      // has none for elements without the path, which come first.
      if (index.sparse) return std::nullopt;
      for (const FieldBounds& one : bounds) {
        if (!is_everything(one.intervals)) return std::nullopt;
      }
    }
    const bool forward = part.descending == index.fields[field].descending;
    if (!is_fixed(field)) {
      if (is_forward && *is_forward != forward) return std::nullopt;
      if (!is_forward) support.first_field = field;
      is_forward = forward;
    }
    ++field;
  }
  support.is_forward = is_forward.value_or(true);
  if (!is_forward) support.is_merged = false;  // the order does not matter at all
  return support;
}

}  // namespace restitch::datasource::embedded
