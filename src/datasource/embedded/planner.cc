#include "datasource/embedded/planner.h"

#include <algorithm>

#include "bson/compare.h"
#include "bson/key_encoding.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/index_keys.h"
#include "datasource/embedded/index_match.h"
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

constexpr std::size_t kMaxCandidates = 8;
constexpr std::size_t kMaxMergedScans = 200;

struct Candidate {
  QueryPlan plan;
  int score = 0;
};

class Planner {
 public:
  explicit Planner(const PlanRequest& request) : request_(request) {}

  Result<std::vector<QueryPlan>> run() {
    if (!request_.collection) return one(QueryPlan());
    const FilterNode& root = request_.filter->root();
    if (root.op == FilterOp::kAlwaysFalse) return one(QueryPlan());
    wants_order_ = request_.sort != nullptr && !request_.sort->empty();
    if (wants_order_ && request_.sort->parts().front().path == "$natural") {
      wants_order_ = false;
      natural_ = true;
      natural_forward_ = !request_.sort->parts().front().descending;
    }
    if (!request_.min.empty() || !request_.max.empty()) {
      RESTITCH_TRY(QueryPlan plan, key_bounds_plan());
      return one(std::move(plan));
    }
    RESTITCH_CHECK(read_hint());
    if (const auto id = request_.filter->id_equality(); id && may_use_id_lookup(*id)) {
      QueryPlan plan;
      plan.access = Access::kIdLookup;
      plan.id = Value(*id);
      plan.needs_filter = false;
      return one(std::move(plan));
    }
    collect_predicates(root, conjunction_);
    if (!natural_) {
      auto plans = indexed_plans();
      if (!plans.empty()) return plans;
    }
    return one(collection_scan());
  }

 private:
  static std::vector<QueryPlan> one(QueryPlan plan) {
    std::vector<QueryPlan> plans;
    plans.push_back(std::move(plan));
    return plans;
  }

  std::vector<QueryPlan> indexed_plans() const {
    std::vector<Candidate> candidates = index_candidates(true);
    if (hinted_ == nullptr) add_unions(candidates);
    const bool gives_order = std::any_of(candidates.begin(), candidates.end(),
                                         [](const Candidate& one) { return !one.plan.needs_sort; });
    // Reading a whole index in order may still be less work than sorting what bounds select.
    if (candidates.empty() || (wants_order_ && !gives_order && hinted_ == nullptr)) {
      for (Candidate& candidate : index_candidates(false)) {
        const bool is_there =
            std::any_of(candidates.begin(), candidates.end(), [&](const Candidate& one) {
              return one.plan.scans.front().index->ident ==
                     candidate.plan.scans.front().index->ident;
            });
        if (!is_there) candidates.push_back(std::move(candidate));
      }
    }
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.score > b.score; });
    const bool is_settled = !candidates.empty() && candidates.front().score >= kSettled;
    if (candidates.size() > kMaxCandidates) candidates.resize(kMaxCandidates);
    std::vector<QueryPlan> plans;
    for (Candidate& candidate : candidates) {
      plans.push_back(std::move(candidate.plan));
      if (is_settled) break;
    }
    return plans;
  }

  QueryPlan collection_scan() const {
    QueryPlan plan;
    plan.access = Access::kCollectionScan;
    plan.is_forward = natural_forward_;
    plan.needs_filter = !request_.filter->is_trivial();
    plan.needs_sort = wants_order_;
    return plan;
  }

  bool may_use_id_lookup(ValueView id) const {
    if (natural_ || (hinted_ != nullptr && !hinted_->is_id())) return false;
    if (request_.collection->is_view()) return false;
    const bool is_text =
        id.type() == Type::kString || id.type() == Type::kObject || id.type() == Type::kSymbol;
    return !is_text || same_collation(request_.collection->collation.get(), request_.collation);
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

  // Indexes whose first field is bounded; or else those that give the order, the hinted one, or one
  // whose keys are all that is wanted.
  std::vector<Candidate> index_candidates(bool must_be_bounded) const {
    std::vector<Candidate> candidates;
    const std::vector<const FilterNode*> nodes{&request_.filter->root()};
    for (const IndexPtr& index : request_.collection->indexes) {
      if (!is_usable(*index, nodes)) continue;
      const std::vector<FieldBounds> bounds = match_index(*index, conjunction_, request_.collation);
      const bool is_bounded = bounds.front().is_bounded && holds_all(*index, conjunction_);
      if (must_be_bounded && !is_bounded) continue;
      Candidate candidate = candidate_of(index, bounds, conjunction_);
      if (!must_be_bounded && hinted_ == nullptr) {
        // A sparse or partial index does not hold all documents.
        const bool gives_order = wants_order_ && !candidate.plan.needs_sort;
        const bool holds_values = gives_distinct(*index) && candidate.plan.is_covered;
        if (!holds_values && (!gives_order || index->sparse || index->partial)) continue;
      }
      candidates.push_back(std::move(candidate));
    }
    return candidates;
  }

  bool gives_distinct(const Index& index) const {
    return !request_.distinct_key.empty() && !index.partial &&
           index.fields.front().path == request_.distinct_key;
  }

  // Whether every document that matches has keys in the index as far as `sparse` is concerned; a
  // hint takes what there is.
  bool holds_all(const Index& index, const Conjunction& conjunction) const {
    if (!index.sparse || hinted_ != nullptr) return true;
    return std::any_of(
        conjunction.predicates.begin(), conjunction.predicates.end(),
        [&](const Predicate& predicate) {
          return needs_presence(predicate) &&
                 std::any_of(index.fields.begin(), index.fields.end(),
                             [&](const IndexField& field) { return field.path == predicate.path; });
        });
  }

  static IndexScan scan_of(const IndexPtr& index, const std::vector<FieldBounds>& bounds,
                           const Conjunction& conjunction) {
    IndexScan scan;
    scan.index = index;
    for (const FieldBounds& field : bounds) {
      scan.decided.insert(scan.decided.end(), field.exact_for.begin(), field.exact_for.end());
      scan.bounds.push_back(field.intervals);
    }
    scan.is_exact = !conjunction.has_others && conjunction.unions.empty() &&
                    scan.decided.size() == conjunction.predicates.size();
    return scan;
  }

  Candidate candidate_of(const IndexPtr& index, const std::vector<FieldBounds>& bounds,
                         const Conjunction& conjunction) const {
    Candidate candidate;
    QueryPlan& plan = candidate.plan;
    plan.access = Access::kIndexScan;
    std::optional<SortSupport> support;
    if (wants_order_) {
      support = sort_support(*index, bounds, *request_.sort, request_.collation, false);
      if (!support) {
        support = sort_support(*index, bounds, *request_.sort, request_.collation, true);
      }
    }
    IndexScan scan = scan_of(index, bounds, conjunction);
    if (support) scan.is_forward = support->is_forward;
    plan.needs_filter = !scan.is_exact;
    plan.needs_distinct = index->is_multikey();
    plan.is_covered = is_covered(*index);
    if (support && support->is_merged && !explode(plan, scan, support->first_field)) {
      support.reset();
      scan.is_forward = true;
    }
    plan.needs_sort = wants_order_ && !support;
    if (plan.scans.empty()) {
      make_ranges(scan);
      plan.scans.push_back(std::move(scan));
    }
    candidate.score = score_of(*index, bounds, support.has_value());
    return candidate;
  }

  // One scan for each combination of the points of the fields before `first_field`; false when
  // there are too many.
  static bool explode(QueryPlan& plan, const IndexScan& scan, std::size_t first_field) {
    std::size_t count = 1;
    for (std::size_t field = 0; field < first_field; ++field) {
      count *= scan.bounds[field].size();
      if (count > kMaxMergedScans) return false;
    }
    std::vector<IndexScan> scans{scan};
    for (std::size_t field = 0; field < first_field; ++field) {
      std::vector<IndexScan> longer;
      for (const IndexScan& former : scans) {
        for (const Interval& interval : scan.bounds[field]) {
          IndexScan one = former;
          one.bounds[field] = {interval};
          longer.push_back(std::move(one));
        }
      }
      scans = std::move(longer);
    }
    for (IndexScan& one : scans) make_ranges(one);
    plan.access = Access::kSortMerge;
    plan.merge_field = first_field;
    plan.scans = std::move(scans);
    return true;
  }

  static constexpr int kSettled = 64 * 10'000;

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
    if (all_equal && index.unique) score += 11'000;
    // Among equals the index with fewer fields is the smaller one.
    return score * 64 - static_cast<int>(bounds.size());
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

  // A union of bounded scans for each $or of which every branch has one.
  void add_unions(std::vector<Candidate>& candidates) const {
    for (const FilterNode* node : conjunction_.unions) {
      auto scans = union_scans(*node, conjunction_, {&request_.filter->root()});
      if (!scans) continue;
      Candidate candidate;
      candidate.plan.access = Access::kIndexUnion;
      candidate.plan.scans = std::move(*scans);
      candidate.plan.needs_sort = wants_order_;
      candidate.plan.needs_distinct = true;
      candidate.plan.is_root_union = node == &request_.filter->root();
      candidates.push_back(std::move(candidate));
    }
  }

  std::optional<std::vector<IndexScan>> union_scans(const FilterNode& node,
                                                    const Conjunction& conjunction,
                                                    std::vector<const FilterNode*> nodes) const {
    std::vector<IndexScan> scans;
    for (const auto& branch : node.children) {
      Conjunction narrowed;
      narrowed.predicates = conjunction.predicates;
      collect_predicates(*branch, narrowed);
      narrowed.has_others = true;
      nodes.push_back(branch.get());
      if (auto best = best_of_branch(narrowed, nodes)) {
        scans.push_back(std::move(*best));
      } else {
        auto nested = union_of_branch(narrowed, nodes);
        if (!nested) return std::nullopt;
        for (IndexScan& scan : *nested) scans.push_back(std::move(scan));
      }
      nodes.pop_back();
    }
    return scans;
  }

  std::optional<std::vector<IndexScan>> union_of_branch(
      const Conjunction& conjunction, const std::vector<const FilterNode*>& nodes) const {
    for (const FilterNode* node : conjunction.unions) {
      if (auto scans = union_scans(*node, conjunction, nodes)) return scans;
    }
    return std::nullopt;
  }

  std::optional<IndexScan> best_of_branch(const Conjunction& conjunction,
                                          const std::vector<const FilterNode*>& nodes) const {
    std::optional<IndexScan> best;
    int best_score = 0;
    for (const IndexPtr& index : request_.collection->indexes) {
      if (!is_usable(*index, nodes)) continue;
      const std::vector<FieldBounds> bounds = match_index(*index, conjunction, request_.collation);
      if (!bounds.front().is_bounded || !holds_all(*index, conjunction)) continue;
      const int score = score_of(*index, bounds, false);
      if (best && score <= best_score) continue;
      best = scan_of(index, bounds, conjunction);
      best->decided.clear();
      best_score = score;
    }
    if (best) make_ranges(*best);
    return best;
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
  Conjunction conjunction_;
  bool wants_order_ = false;
  IndexPtr hinted_;
  bool natural_ = false;
  bool natural_forward_ = true;
};

}  // namespace

Result<std::vector<QueryPlan>> candidate_plans(const PlanRequest& request) {
  return Planner(request).run();
}

}  // namespace restitch::datasource::embedded
