#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/bounds.h"
#include "datasource/embedded/collection.h"
#include "query/filter/filter.h"
#include "query/sort.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// How one index is read.
struct IndexScan {
  IndexPtr index;
  std::vector<Intervals> bounds;  // per index field, ascending by value
  bool is_forward = true;
  std::vector<storage::KeyRange> ranges;  // in scan order, disjoint
  // Fields from this one on are not part of `ranges`; their bounds are tested on each key.
  std::size_t first_tested_field = 0;
  bool tests_keys = false;
  // Every key in the bounds comes from a matching document: the filter need not be evaluated.
  bool is_exact = false;
  // The ranges name whole keys of a unique index: each is one look-up.
  bool is_point_lookup = false;
  // Predicates that the bounds decide alone.
  std::vector<const query::FilterNode*> decided;
};

enum class Access : std::uint8_t {
  kNothing,
  kIdLookup,
  kCollectionScan,
  kIndexScan,
  kIndexUnion,  // the branches of an $or, one behind the other
  kSortMerge,   // scans of one index that each come in order, merged from `merge_field` on
};

struct QueryPlan {
  Access access = Access::kNothing;
  bson::Value id;                // kIdLookup
  bool is_forward = true;        // kCollectionScan
  std::vector<IndexScan> scans;  // one, or those of kIndexUnion and kSortMerge
  std::size_t merge_field = 0;   // kSortMerge
  bool needs_filter = true;      // the filter must be evaluated on documents
  bool needs_sort = false;       // results do not come in the asked order
  bool is_covered = false;       // documents can be rebuilt from index keys
  bool needs_distinct = false;   // the same record may come twice
  bool is_root_union = false;    // kIndexUnion: the whole filter is one $or

  // Documents are made from keys: nothing is fetched.
  bool reads_only_keys() const { return is_covered && !scans.front().is_point_lookup; }
};

struct PlanRequest {
  CollectionPtr collection;  // null: there is none
  const query::Filter* filter = nullptr;
  const query::SortPattern* sort = nullptr;  // may be null
  const query::Collation* collation = nullptr;
  bson::ValueView hint;                               // string, object or missing
  bson::Timestamp read_time{UINT32_MAX, UINT32_MAX};  // cluster time of the state that will be read
  bson::View min, max;                                // key bounds that need a hint
  // Fields of the document that are needed at all; empty optional: the whole document.
  std::optional<std::set<std::string>> needed_fields;
  // Index field whose distinct values are wanted, when documents are not needed for them: an index
  // that starts with it may be read whole.
  std::string_view distinct_key;
};

// Ways to read a collection that give the right documents (spec: mongodb-engine §10.4), the one
// that looks best first; deterministic. Never empty. Call it after the snapshot that will be read
// has been taken. Errors: 2 for a hint that names no index, 51173 and its neighbours for min and
// max.
Result<std::vector<QueryPlan>> candidate_plans(const PlanRequest& request);

}  // namespace restitch::datasource::embedded
