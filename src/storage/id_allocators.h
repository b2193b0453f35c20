#pragma once

#include <rocksdb/write_batch.h>

#include <array>
#include <atomic>
#include <memory>
#include <shared_mutex>
#include <unordered_map>

#include "storage/database.h"

namespace restitch::storage {

// Numbers of collections and indexes, never reused. Every commit group that follows an allocation
// records it, so an ident is on disk together with the first row that names it, and allocating
// never waits.
class IdentAllocator {
 public:
  Status load(const Database& database);

  std::uint32_t allocate() { return next_.fetch_add(1, std::memory_order_relaxed); }

  // Commit thread: adds the row to the group if idents were given out since the last one; written()
  // once it is there.
  void stage(rocksdb::WriteBatch& batch, const Database& database);
  void written() { recorded_ = staged_; }

 private:
  std::atomic<std::uint32_t> next_{1};
  std::uint32_t recorded_ = 1;
  std::uint32_t staged_ = 1;
};

// Record ids, one counter a collection, starting behind its last record. Thread-safe.
class RecordIds {
 public:
  explicit RecordIds(const Database& database) : database_(database) {}

  // 0, which is no record id, when the disk cannot be read.
  RecordId allocate(CollectionId collection);

 private:
  static constexpr std::size_t kShards = 16;
  struct Shard {
    std::shared_mutex mutex;
    std::unordered_map<CollectionId, std::unique_ptr<std::atomic<RecordId>>> last;
  };

  Result<RecordId> last_stored(CollectionId collection) const;

  const Database& database_;
  std::array<Shard, kShards> shards_;
};

}  // namespace restitch::storage
