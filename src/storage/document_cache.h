#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/engine.h"
#include "storage/key_layout.h"

namespace restitch::storage {

// Documents by a key of a unique index: what a look-up by _id finds without asking RocksDB twice.
// Every document carries the time of the snapshot that it was read from. Each write notes its time
// under the hash of the key written, before a snapshot shows it. A snapshot may use a document when
// nothing was written to its index entry or its record after the earlier of the two times; so a
// reader of any age sees its own state, and a writer invalidates without looking anything up.
// Keys whose hashes fall together invalidate each other needlessly. Thread-safe.
class DocumentCache {
 public:
  // 0 bytes: nothing is kept.
  explicit DocumentCache(std::size_t bytes);
  ~DocumentCache();

  struct Key {
    IndexId index = 0;
    CollectionId collection = 0;
    std::string_view value;  // encoded
    std::uint64_t hash = 0;

    Key(IndexId index_id, CollectionId collection_id, std::string_view encoded)
        : index(index_id),
          collection(collection_id),
          value(encoded),
          hash(hash_of_entry(index_id, encoded)) {}
  };

  static std::uint64_t hash_of_entry(IndexId index, std::string_view key);
  static std::uint64_t hash_of_record(CollectionId collection, RecordId id);

  // Commit thread, before the write is visible to any snapshot.
  void note_write(std::uint64_t hash, keys::Ticks time) {
    written_[hash % kWriteTimes].store(time, std::memory_order_relaxed);
  }

  // The record, its bytes in `out`; nothing when the state of `snapshot` is not known here.
  std::optional<RecordId> find(const Key& key, keys::Ticks snapshot, std::string& out);
  // What a snapshot of that time holds.
  void keep(const Key& key, keys::Ticks snapshot, RecordId record, std::string_view document);

 private:
  struct Shard;
  struct Slot;

  static constexpr std::size_t kWriteTimes = 1U << 20U;
  static constexpr std::size_t kShards = 16;

  bool is_valid(const Slot& slot, keys::Ticks snapshot) const;
  Shard& shard_of(std::uint64_t hash);

  // Of the newest write to any key of this hash. The memory is the kernel's zero page until it is
  // written to.
  std::unique_ptr<std::atomic<keys::Ticks>[], void (*)(void*)> written_;
  std::vector<Shard> shards_;
  std::size_t shard_bytes_;
};

}  // namespace restitch::storage
