#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>

#include "bson/document.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// The states that snapshot reads outside transactions have used, under their cluster times: a
// client may read them again for a while (spec: mongodb-engine §13.4). Thread-safe.
class SnapshotHistory {
 public:
  // Keeps the state for later reads at its time.
  void keep(const storage::SnapshotPtr& snapshot);
  // The kept state of exactly this time; null if there is none.
  storage::SnapshotPtr find(bson::Timestamp time) const;
  // Drops what is older than the window.
  void expire(std::chrono::steady_clock::time_point now, std::chrono::seconds window);
  void clear();
  std::size_t size() const;

 private:
  struct Kept {
    storage::SnapshotPtr snapshot;
    std::chrono::steady_clock::time_point last_use;
  };

  mutable std::mutex mutex_;
  std::map<bson::Timestamp, Kept> kept_;
};

}  // namespace restitch::datasource::embedded
