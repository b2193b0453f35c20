#pragma once

#include <algorithm>
#include <mutex>
#include <set>

#include "storage/engine.h"

namespace restitch::datasource::embedded {

// Record ids of a capped collection whose inserts are not decided yet. Ids have the order of their
// allocation, which need not be the order of the commits: who follows the collection, or evicts its
// oldest documents, must not pass an undecided one. Thread-safe.
class OpenInserts {
 public:
  storage::RecordId begin(storage::Engine& engine, storage::CollectionId collection) {
    const std::lock_guard lock(mutex_);
    last_ = engine.allocate_record_id(collection);
    ids_.insert(last_);
    return last_;
  }
  // The commit has ended and its writes, if any, are visible.
  void end(storage::RecordId id) {
    const std::lock_guard lock(mutex_);
    ids_.erase(id);
  }
  // Every record below this is decided: a snapshot taken after the call shows it, or nothing ever
  // will.
  storage::RecordId limit(storage::Engine& engine, storage::CollectionId collection) {
    const std::lock_guard lock(mutex_);
    if (!ids_.empty()) return *ids_.begin();
    // Nothing was inserted since the start: one id is spent to learn where they stand.
    if (last_ == 0) last_ = engine.allocate_record_id(collection);
    return last_ + 1;
  }

 private:
  std::mutex mutex_;
  std::set<storage::RecordId> ids_;
  storage::RecordId last_ = 0;
};

}  // namespace restitch::datasource::embedded
