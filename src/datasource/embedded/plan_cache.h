#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "bson/document.h"
#include "query/filter/filter.h"

namespace restitch::datasource::embedded {

// What makes two queries alike for the choice of a plan: everything but the values compared with.
struct QueryShape {
  std::string text;

  // Eight hexadecimal digits, as explain prints them.
  std::string hash() const;
};
QueryShape shape_of(const query::Filter& filter, bson::View sort, bson::View projection,
                    const query::Collation* collation);

// A plan by what tells it from the other candidates: its access, indexes and whether it sorts.
struct CachedPlan {
  std::string signature;
  std::uint64_t works = 0;  // that the trial took
};

// Plans that won a trial, by shape, for one version of a collection's indexes. Bounded.
// Thread-safe.
class PlanCache {
 public:
  struct Entry {
    QueryShape shape;
    CachedPlan plan;
    bson::Document query, sort, projection, collation;
    bson::Date created;
  };

  std::optional<CachedPlan> find(const QueryShape& shape) const;
  void put(Entry entry);
  void remove(const QueryShape& shape);
  void clear();
  std::vector<Entry> entries() const;

 private:
  static constexpr std::size_t kMaxEntries = 500;

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
};

}  // namespace restitch::datasource::embedded
