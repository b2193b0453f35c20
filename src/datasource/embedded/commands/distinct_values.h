#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/planner.h"
#include "query/comparator.h"

namespace restitch::datasource::embedded {

// The different values at a path over many documents, in order of appearance (spec: mongodb-engine
// §5, distinct).
class DistinctValues {
 public:
  DistinctValues(std::string_view key, const query::Comparator& comparator);
  DistinctValues(const DistinctValues&) = delete;
  DistinctValues& operator=(const DistinctValues&) = delete;

  // Error 17217 when the values outgrow a document.
  Status add(bson::View document);
  // {values: […]}
  bson::Document reply() const;

 private:
  struct Hash {
    const query::Comparator* comparator;
    std::size_t operator()(const bson::Value& value) const {
      return comparator->hash(value.view());
    }
  };
  struct Equal {
    const query::Comparator* comparator;
    bool operator()(const bson::Value& a, const bson::Value& b) const {
      return comparator->equal(a.view(), b.view());
    }
  };

  std::vector<std::string> path_;
  query::Comparator comparator_;
  std::unordered_set<bson::Value, Hash, Equal> seen_;
  std::vector<const bson::Value*> order_;
  std::size_t bytes_ = 0;
};

// How many leading fields of the plan's index may be skipped once their values are known: those up
// to the key. 0 when the plan reads no index that has it.
std::size_t distinct_scan_fields(const QueryPlan& plan, std::string_view key);

}  // namespace restitch::datasource::embedded
