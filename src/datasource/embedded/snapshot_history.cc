#include "datasource/embedded/snapshot_history.h"

#include <vector>

namespace restitch::datasource::embedded {

namespace {
// More states than this would keep too much of what was deleted: the oldest goes.
constexpr std::size_t kMostKept = 1000;
}  // namespace

void SnapshotHistory::keep(const storage::SnapshotPtr& snapshot) {
  storage::SnapshotPtr dropped;  // released without the lock
  const std::lock_guard lock(mutex_);
  Kept& kept = kept_[snapshot->cluster_time()];
  if (!kept.snapshot) kept.snapshot = snapshot;
  kept.last_use = std::chrono::steady_clock::now();
  if (kept_.size() > kMostKept) {
    dropped = std::move(kept_.begin()->second.snapshot);
    kept_.erase(kept_.begin());
  }
}

storage::SnapshotPtr SnapshotHistory::find(bson::Timestamp time) const {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(time);
  return found == kept_.end() ? nullptr : found->second.snapshot;
}

void SnapshotHistory::expire(std::chrono::steady_clock::time_point now,
                             std::chrono::seconds window) {
  std::vector<storage::SnapshotPtr> dropped;
  const std::lock_guard lock(mutex_);
  for (auto at = kept_.begin(); at != kept_.end();) {
    if (now - at->second.last_use <= window) {
      ++at;
      continue;
    }
    dropped.push_back(std::move(at->second.snapshot));
    at = kept_.erase(at);
  }
}

void SnapshotHistory::clear() {
  const std::lock_guard lock(mutex_);
  kept_.clear();
}

std::size_t SnapshotHistory::size() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

}  // namespace restitch::datasource::embedded
