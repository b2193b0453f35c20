#include "datasource/embedded/planner.h"

#include <algorithm>

#include "bson/compare.h"
#include "bson/key_encoding.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_keys.h"
#include "datasource/embedded/index_scan.h"
#include "datasource/embedded/partial_index.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;
using bson::View;
using query::FilterNode;
using query::FilterOp;

// A leaf of the filter's conjunction with the path it is about.
struct Predicate {
  const FilterNode* node = nullptr;
  std::string path;
  bool is_negated = false;
  // Predicates of one $elemMatch speak of the same element. Null outside.
  const FilterNode* element_group = nullptr;
};

struct Conjunction {
  std::vector<Predicate> predicates;
  std::vector<const FilterNode*> unions;  // $or nodes
  bool has_others = false;                // parts that no index can serve
};

void collect(const FilterNode& node, const std::string& prefix, const FilterNode* group,
             Conjunction& out) {
  const auto path_of = [&](const FilterNode& leaf) {
    if (prefix.empty()) return leaf.path;
    return leaf.path.empty() ? prefix : prefix + "." + leaf.path;
  };
  switch (node.op) {
    case FilterOp::kAnd:
      for (const auto& child : node.children) collect(*child, prefix, group, out);
      return;
    case FilterOp::kOr:
      if (group == nullptr) {
        out.unions.push_back(&node);
      } else {
        out.has_others = true;
      }
      return;
    case FilterOp::kNot: {
      const FilterNode& child = *node.children.front();
      // Inside $elemMatch the negation speaks of one element, not of the whole array: the
      // complement still bounds it.
      const bool is_leaf = child.op == FilterOp::kEq || child.op == FilterOp::kIn ||
                           child.op == FilterOp::kGt || child.op == FilterOp::kGte ||
                           child.op == FilterOp::kLt || child.op == FilterOp::kLte ||
                           child.op == FilterOp::kExists;
      if (is_leaf && group == nullptr) {
        out.predicates.push_back({&child, path_of(child), true, group});
      } else {
        out.has_others = true;
      }
      return;
    }
    case FilterOp::kElemMatchObject:
    case FilterOp::kElemMatchValue:
      out.has_others = true;  // the element's own conjunction must be tested on the document
      for (const auto& child : node.children) {
        collect(*child, path_of(node), group == nullptr ? &node : group, out);
      }
      return;
    case FilterOp::kEq:
    case FilterOp::kGt:
    case FilterOp::kGte:
    case FilterOp::kLt:
    case FilterOp::kLte:
    case FilterOp::kIn:
    case FilterOp::kExists:
    case FilterOp::kType:
    case FilterOp::kRegex:
      out.predicates.push_back({&node, path_of(node), false, group});
      return;
    case FilterOp::kAlwaysTrue:
      return;
    default:
      out.has_others = true;
      return;
  }
}

// How selective bounds look, for choosing among predicates and indexes.
int strength(const Intervals& intervals) {
  if (intervals.empty()) return 5;
  if (is_everything(intervals)) return 0;
  if (all_points(intervals)) return intervals.size() == 1 ? 4 : 3;
  const bool is_half_open = intervals.size() > 1 || intervals.front().low.type() == Type::kMinKey ||
                            intervals.front().high.type() == Type::kMaxKey;
  return is_half_open ? 1 : 2;
}

// Whether a document that matches the predicate has a value at its path.
bool needs_presence(const FilterNode& node, bool is_negated) {
  const ValueView operand = node.operand;
  if (is_negated) return node.op == FilterOp::kEq && operand.is_nullish();
  switch (node.op) {
    case FilterOp::kExists:
    case FilterOp::kType:
    case FilterOp::kRegex:
      return true;
    case FilterOp::kIn: {
      const View values = operand.get_document();
      return std::none_of(values.begin(), values.end(),
                          [](const bson::Element& element) { return element.value.is_nullish(); });
    }
    default:  // comparisons with MinKey and MaxKey accept every document
      return !operand.is_nullish() && operand.type() != Type::kMinKey &&
             operand.type() != Type::kMaxKey;
  }
}

struct FieldBounds {
  Intervals intervals = everything();
  std::vector<const FilterNode*> exact_for;  // predicates that need no further test
  const FilterNode* group = nullptr;
  bool is_bounded = false;
};

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
      auto bounds = bounds_of(*predicate.node, predicate.is_negated, context);
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
      field.group = predicate.element_group;
      field.is_bounded = true;
      if (bounds.is_exact && predicate.element_group == nullptr) {
        field.exact_for.push_back(predicate.node);
      }
      return;
    }
    if (strength(bounds.intervals) <= strength(field.intervals)) return;
    field = FieldBounds();
    field.intervals = std::move(bounds.intervals);
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

enum class SortSupport : std::uint8_t { kNone, kForward, kBackward };

bool collations_equal(const query::Collation* a, const query::Collation* b) {
  if (a == b) return true;
  return a != nullptr && b != nullptr && a->spec() == b->spec();
}

// Whether reading the index gives the asked order: leading fields fixed to one value may be
// skipped.
SortSupport sort_support(const Index& index, const std::vector<FieldBounds>& bounds,
                         const query::SortPattern& sort, const query::Collation* collation) {
  if (!collations_equal(index.collation.get(), collation)) return SortSupport::kNone;
  const auto is_fixed = [&](std::size_t field) {
    return bounds[field].intervals.size() == 1 && bounds[field].intervals.front().is_point() &&
           index.multikey_bits(field) == 0;
  };
  std::size_t field = 0;
  std::optional<bool> is_forward;
  for (const query::SortPart& part : sort.parts()) {
    while (field < index.fields.size() && index.fields[field].path != part.path &&
           is_fixed(field)) {
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
      return SortSupport::kNone;
    }
    if (index.multikey_bits(field) != 0) {
      // Every key of a document must be in the scan, or its least one might not be.
      for (const FieldBounds& one : bounds) {
        if (!is_everything(one.intervals)) return SortSupport::kNone;
      }
    }
    const bool forward = part.descending == index.fields[field].descending;
    if (!is_fixed(field)) {
      if (is_forward && *is_forward != forward) return SortSupport::kNone;
      is_forward = forward;
    }
    ++field;
  }
  return is_forward.value_or(true) ? SortSupport::kForward : SortSupport::kBackward;
}

struct Candidate {
  IndexScan scan;
  bool provides_sort = false;
  int score = 0;
  bool is_bounded = false;
};

class Planner {
 public:
  explicit Planner(const PlanRequest& request) : request_(request) {}

  Result<QueryPlan> run() {
    QueryPlan plan;
    if (!request_.collection) return plan;
    const bool wants_order = request_.sort != nullptr && !request_.sort->empty();
    const FilterNode& root = request_.filter->root();
    if (root.op == FilterOp::kAlwaysFalse) return plan;
    if (!request_.min.empty() || !request_.max.empty()) return key_bounds_plan();
    RESTITCH_CHECK(read_hint());

    if (const auto id = request_.filter->id_equality(); id && may_use_id_lookup(*id)) {
      plan.access = Access::kIdLookup;
      plan.id = Value(*id);
      plan.needs_filter = false;
      return plan;
    }
    Conjunction conjunction;
    collect(root, "", nullptr, conjunction);
    if (!natural_) {
      if (auto best = best_candidate(conjunction, wants_order, true)) {
        return index_plan(std::move(*best), conjunction, wants_order);
      }
      if (hinted_ == nullptr) {
        if (auto scans = union_scans(conjunction)) {
          plan.access = Access::kIndexUnion;
          plan.scans = std::move(*scans);
          plan.needs_sort = wants_order;
          plan.needs_distinct = true;
          return plan;
        }
      }
      if (auto best = best_candidate(conjunction, wants_order, false)) {
        return index_plan(std::move(*best), conjunction, wants_order);
      }
    }
    plan.access = Access::kCollectionScan;
    plan.is_forward = natural_forward_;
    plan.needs_filter = !request_.filter->is_trivial();
    plan.needs_sort = wants_order && !sorts_naturally();
    if (request_.sort != nullptr && sorts_naturally()) {
      plan.is_forward = !request_.sort->parts().front().descending;
    }
    return plan;
  }

 private:
  bool sorts_naturally() const {
    return request_.sort != nullptr && request_.sort->parts().size() == 1 &&
           request_.sort->parts().front().path == "$natural";
  }

  bool may_use_id_lookup(ValueView id) const {
    if (natural_ || (hinted_ != nullptr && !hinted_->is_id())) return false;
    if (request_.collection->is_view()) return false;
    const bool is_text =
        id.type() == Type::kString || id.type() == Type::kObject || id.type() == Type::kSymbol;
    return !is_text || collations_equal(request_.collection->collation.get(), request_.collation);
  }

  Status read_hint() {
    const ValueView hint = request_.hint;
    if (hint.is_missing()) return {};
    if (const auto name = hint.as_string()) {
      hinted_ = request_.collection->find_index(*name);
    } else if (const auto pattern = hint.as_object()) {
      if (pattern->empty()) return {};
      if (const ValueView natural = (*pattern)["$natural"]; !natural.is_missing()) {
        const auto direction = natural.as_integer();
        if (direction != 1 && direction != -1) {
          return mongo_error(code::kBadValue, "$natural hint may only accept 1 or -1");
        }
        natural_ = true;
        natural_forward_ = *direction > 0;
        return {};
      }
      for (const IndexPtr& index : request_.collection->indexes) {
        if (bson::equal(index->key, *pattern)) hinted_ = index;
      }
    } else {
      return mongo_error(code::kFailedToParse, "Hint must be a string or an object");
    }
    if (hinted_ == nullptr || hinted_->is_building || hinted_->hidden) {
      return mongo_error(code::kBadValue,
                         "error processing query: planner returned error :: caused by :: hint "
                         "provided does not correspond to an existing index");
    }
    return {};
  }

  bool is_usable(const Index& index, const std::vector<const FilterNode*>& nodes) const {
    if (index.is_building || index.usable_from > request_.read_time) return false;
    if (hinted_ != nullptr) return hinted_->ident == index.ident;
    if (index.hidden) return false;
    if (!index.partial) return true;
    return implies({nodes, request_.collation}, *index.partial->filter, index.collation.get());
  }

  // The best index: with `must_be_bounded`, one whose first field is bounded; else one that gives
  // the order, or the hinted one.
  std::optional<Candidate> best_candidate(const Conjunction& conjunction, bool wants_order,
                                          bool must_be_bounded) const {
    std::optional<Candidate> best;
    const std::vector<const FilterNode*> nodes{&request_.filter->root()};
    for (const IndexPtr& index : request_.collection->indexes) {
      if (!is_usable(*index, nodes)) continue;
      auto candidate = candidate_of(index, conjunction, wants_order);
      if (must_be_bounded && !candidate.is_bounded) continue;
      if (!must_be_bounded && hinted_ == nullptr) {
        // A sparse or partial index does not hold all documents.
        if (!candidate.provides_sort || index->sparse || index->partial) continue;
      }
      if (!best || candidate.score > best->score) best = std::move(candidate);
    }
    return best;
  }

  Candidate candidate_of(const IndexPtr& index, const Conjunction& conjunction,
                         bool wants_order) const {
    Candidate candidate;
    std::vector<FieldBounds> bounds = IndexMatcher(*index, conjunction, request_.collation).run();
    candidate.is_bounded = bounds.front().is_bounded;
    if (index->sparse && hinted_ == nullptr && !implies_presence(*index, conjunction)) {
      candidate.is_bounded = false;
    }
    SortSupport support = SortSupport::kNone;
    if (wants_order) {
      support = sort_support(*index, bounds, *request_.sort, request_.collation);
    }
    candidate.provides_sort = support != SortSupport::kNone;
    candidate.score = score_of(*index, bounds, candidate.provides_sort);

    IndexScan& scan = candidate.scan;
    scan.index = index;
    scan.is_forward = support != SortSupport::kBackward;
    std::size_t exact = 0;
    for (FieldBounds& field : bounds) {
      exact += field.exact_for.size();
      scan.bounds.push_back(std::move(field.intervals));
    }
    scan.is_exact = !conjunction.has_others && conjunction.unions.empty() &&
                    exact == conjunction.predicates.size();
    make_ranges(scan);
    return candidate;
  }

  // A sparse index holds a document when one of its fields is there.
  static bool implies_presence(const Index& index, const Conjunction& conjunction) {
    for (const Predicate& predicate : conjunction.predicates) {
      if (!needs_presence(*predicate.node, predicate.is_negated)) continue;
      for (const IndexField& field : index.fields) {
        if (field.path == predicate.path) return true;
      }
    }
    return false;
  }

  static int score_of(const Index& index, const std::vector<FieldBounds>& bounds,
                      bool provides_sort) {
    // Leading equalities count most, then the first range, an order that needs no sort, later
    // fields that narrow.
    int score = 0;
    bool is_prefix = true;
    bool all_equal = true;
    for (const FieldBounds& field : bounds) {
      const int weight = strength(field.intervals);
      if (weight != 4) all_equal = false;
      if (!is_prefix) {
        score += weight > 0 ? 2 : 0;
        continue;
      }
      score += weight * 100;
      if (weight < 3) is_prefix = false;
    }
    if (provides_sort) score += 150;
    if (all_equal && index.unique) score += 10'000;
    // Among equals the index with fewer fields is the smaller one.
    return score * 64 - static_cast<int>(bounds.size());
  }

  QueryPlan index_plan(Candidate candidate, const Conjunction& conjunction,
                       bool wants_order) const {
    static_cast<void>(conjunction);
    QueryPlan plan;
    plan.access = Access::kIndexScan;
    plan.needs_sort = wants_order && !candidate.provides_sort;
    plan.needs_filter = !candidate.scan.is_exact;
    plan.needs_distinct = candidate.scan.index->is_multikey();
    plan.is_covered = is_covered(*candidate.scan.index);
    plan.scans.push_back(std::move(candidate.scan));
    return plan;
  }

  // Whether documents rebuilt from keys answer the query: only plain top-level fields, no arrays.
  bool is_covered(const Index& index) const {
    if (!request_.needed_fields || index.collation || index.is_hashed() || index.is_multikey()) {
      return false;
    }
    for (const std::string& needed : *request_.needed_fields) {
      const bool is_held =
          std::any_of(index.fields.begin(), index.fields.end(), [&](const IndexField& field) {
            return field.components.size() == 1 && field.path == needed;
          });
      if (!is_held) return false;
    }
    return !request_.needed_fields->empty();
  }

  // One bounded index per branch of an $or.
  std::optional<std::vector<IndexScan>> union_scans(const Conjunction& conjunction) const {
    for (const FilterNode* node : conjunction.unions) {
      std::vector<IndexScan> scans;
      for (const auto& branch : node->children) {
        Conjunction narrowed;
        narrowed.predicates = conjunction.predicates;
        collect(*branch, "", nullptr, narrowed);
        narrowed.has_others = true;
        if (auto best = best_of_branch(narrowed, {&request_.filter->root(), branch.get()})) {
          scans.push_back(std::move(*best));
          continue;
        }
        auto nested = union_scans(narrowed);
        if (!nested) {
          scans.clear();
          break;
        }
        for (IndexScan& scan : *nested) scans.push_back(std::move(scan));
      }
      if (!scans.empty()) return scans;
    }
    return std::nullopt;
  }

  std::optional<IndexScan> best_of_branch(const Conjunction& conjunction,
                                          const std::vector<const FilterNode*>& nodes) const {
    std::optional<Candidate> best;
    for (const IndexPtr& index : request_.collection->indexes) {
      if (!is_usable(*index, nodes)) continue;
      auto candidate = candidate_of(index, conjunction, false);
      if (candidate.is_bounded && (!best || candidate.score > best->score)) {
        best = std::move(candidate);
      }
    }
    if (!best) return std::nullopt;
    best->scan.is_exact = false;
    return std::move(best->scan);
  }

  // min and max: the raw key range of the hinted index, half-open.
  Result<QueryPlan> key_bounds_plan() {
    RESTITCH_CHECK(read_hint());
    if (hinted_ == nullptr) {
      return mongo_error(51173,
                         "When using min()/max() a hint of which index to use must be "
                         "provided");
    }
    IndexScan scan;
    scan.index = hinted_;
    scan.bounds.assign(hinted_->fields.size(), everything());
    storage::KeyRange range;
    range.end = std::string(1, bson::kAboveAllValues);
    const auto encode = [&](View keys, std::string& out) -> Status {
      std::size_t field = 0;
      for (const bson::Element& element : keys) {
        if (field == hinted_->fields.size() || hinted_->fields[field].path != element.name) {
          return mongo_error(51174, "The hint provided does not match the min/max query");
        }
        append_index_value(hinted_->fields[field], hinted_->collation.get(), element.value, out,
                           nullptr);
        ++field;
      }
      if (field != hinted_->fields.size()) {
        return mongo_error(51174, "The hint provided does not match the min/max query");
      }
      return {};
    };
    if (!request_.min.empty()) RESTITCH_CHECK(encode(request_.min, range.start));
    if (!request_.max.empty()) {
      range.end.clear();
      RESTITCH_CHECK(encode(request_.max, range.end));
    }
    if (range.start < range.end) scan.ranges.push_back(std::move(range));
    scan.first_tested_field = scan.bounds.size();
    QueryPlan plan;
    plan.access = Access::kIndexScan;
    plan.needs_distinct = hinted_->is_multikey();
    plan.needs_filter = !request_.filter->is_trivial();
    plan.needs_sort = request_.sort != nullptr && !request_.sort->empty();
    plan.scans.push_back(std::move(scan));
    return plan;
  }

  const PlanRequest& request_;
  IndexPtr hinted_;
  bool natural_ = false;
  bool natural_forward_ = true;
};

}  // namespace

Result<QueryPlan> make_plan(const PlanRequest& request) { return Planner(request).run(); }

}  // namespace restitch::datasource::embedded
