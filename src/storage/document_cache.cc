#include "storage/document_cache.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>

namespace restitch::storage {
namespace {

constexpr std::size_t kWays = 4;
constexpr std::size_t kSetsPerShard = 4096;
constexpr std::size_t kLargestDocument = 16U << 10U;

std::uint64_t mixed(std::uint64_t value) {
  value ^= value >> 32U;
  value *= 0x9FB21C651E98DF25ULL;
  value ^= value >> 29U;
  value *= 0xD6E8FEB86659FD93ULL;
  return value ^ (value >> 32U);
}

}  // namespace

struct DocumentCache::Slot {
  std::uint64_t hash = 0;
  keys::Ticks read_at = 0;
  RecordId record = 0;
  IndexId index = 0;
  CollectionId collection = 0;
  std::uint32_t key_bytes = 0;
  std::uint32_t document_bytes = 0;
  bool is_used = false;           // since the hand passed last
  std::unique_ptr<char[]> bytes;  // the key, then the document; null: the slot is free

  bool holds(const Key& key) const {
    return bytes != nullptr && hash == key.hash && index == key.index &&
           collection == key.collection && std::string_view(bytes.get(), key_bytes) == key.value;
  }
  std::size_t size() const { return sizeof(Slot) + key_bytes + document_bytes; }
};

struct DocumentCache::Shard {
  using Set = std::array<Slot, kWays>;

  std::mutex mutex;
  std::vector<std::unique_ptr<Set>> sets = std::vector<std::unique_ptr<Set>>(kSetsPerShard);
  std::size_t bytes = 0;
  std::size_t hand = 0;

  std::unique_ptr<Set>& set_of(std::uint64_t hash) { return sets[hash / kShards % kSetsPerShard]; }

  void release(Slot& slot) {
    if (slot.bytes == nullptr) return;
    bytes -= slot.size();
    slot.bytes.reset();
  }

  // Frees what was not used since the last time round until `wanted` bytes fit below `limit`.
  void make_room(std::size_t wanted, std::size_t limit) {
    for (std::size_t turns = 0; bytes + wanted > limit && turns < 2 * kSetsPerShard; ++turns) {
      std::unique_ptr<Set>& set = sets[hand];
      hand = (hand + 1) % kSetsPerShard;
      if (!set) continue;
      for (Slot& slot : *set) {
        if (!slot.is_used) release(slot);
        slot.is_used = false;
      }
    }
  }

  // Where the key is or is to go.
  Slot& slot_for(const Key& key) {
    std::unique_ptr<Set>& set = set_of(key.hash);
    if (!set) set = std::make_unique<Set>();
    for (Slot& slot : *set) {
      if (slot.holds(key)) return slot;
    }
    Slot* chosen = &(*set)[key.hash / kShards / kSetsPerShard % kWays];
    for (Slot& slot : *set) {
      if (slot.bytes == nullptr) return slot;
      if (!slot.is_used) chosen = &slot;
    }
    return *chosen;
  }
};

DocumentCache::DocumentCache(std::size_t bytes)
    : written_(static_cast<std::atomic<keys::Ticks>*>(
                   std::calloc(kWriteTimes, sizeof(std::atomic<keys::Ticks>))),
               std::free),
      shards_(kShards),
      shard_bytes_(bytes / kShards) {
  if (written_ == nullptr) throw std::bad_alloc();
}

DocumentCache::~DocumentCache() = default;

std::uint64_t DocumentCache::hash_of_entry(IndexId index, std::string_view key) {
  return mixed(std::hash<std::string_view>()(key) + index);
}

std::uint64_t DocumentCache::hash_of_record(CollectionId collection, RecordId id) {
  return mixed(mixed(static_cast<std::uint64_t>(id)) + collection);
}

DocumentCache::Shard& DocumentCache::shard_of(std::uint64_t hash) {
  return shards_[hash % kShards];
}

bool DocumentCache::is_valid(const Slot& slot, keys::Ticks snapshot) const {
  const keys::Ticks unchanged_since = std::min(slot.read_at, snapshot);
  const auto written = [this](std::uint64_t hash) {
    return written_[hash % kWriteTimes].load(std::memory_order_relaxed);
  };
  return written(slot.hash) <= unchanged_since &&
         written(hash_of_record(slot.collection, slot.record)) <= unchanged_since;
}

std::optional<RecordId> DocumentCache::find(const Key& key, keys::Ticks snapshot,
                                            std::string& out) {
  Shard& shard = shard_of(key.hash);
  const std::lock_guard lock(shard.mutex);
  const auto& set = shard.set_of(key.hash);
  if (!set) return std::nullopt;
  for (Slot& slot : *set) {
    if (!slot.holds(key)) continue;
    if (!is_valid(slot, snapshot)) return std::nullopt;
    slot.is_used = true;
    out.assign(slot.bytes.get() + slot.key_bytes, slot.document_bytes);
    return slot.record;
  }
  return std::nullopt;
}

void DocumentCache::keep(const Key& key, keys::Ticks snapshot, RecordId record,
                         std::string_view document) {
  const std::size_t bytes = key.value.size() + document.size();
  const std::size_t cost = sizeof(Slot) + bytes;
  if (document.size() > kLargestDocument || cost > shard_bytes_) return;
  std::unique_ptr<char[]> copy(new char[bytes]);
  std::memcpy(copy.get(), key.value.data(), key.value.size());
  std::memcpy(copy.get() + key.value.size(), document.data(), document.size());
  Shard& shard = shard_of(key.hash);
  const std::lock_guard lock(shard.mutex);
  Slot& slot = shard.slot_for(key);
  // An older reader leaves what a newer one has read.
  if (slot.holds(key) && slot.read_at > snapshot) return;
  shard.release(slot);
  shard.make_room(cost, shard_bytes_);
  slot.hash = key.hash;
  slot.read_at = snapshot;
  slot.record = record;
  slot.index = key.index;
  slot.collection = key.collection;
  slot.key_bytes = static_cast<std::uint32_t>(key.value.size());
  slot.document_bytes = static_cast<std::uint32_t>(document.size());
  slot.is_used = false;
  slot.bytes = std::move(copy);
  shard.bytes += cost;
}

}  // namespace restitch::storage
