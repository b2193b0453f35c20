#include "storage/id_allocators.h"

#include <mutex>

#include "base/log.h"
#include "storage/key_layout.h"
#include "storage/rocks_status.h"

namespace restitch::storage {

Status IdentAllocator::load(const Database& database) {
  RESTITCH_TRY(const std::optional<std::string> row, database.meta_row(keys::kIdentRow));
  if (!row) return {};
  if (row->size() != 4) return Error(ErrorCode::kCorrupt, "stored data is damaged");
  recorded_ = staged_ = keys::load_be32(row->data());
  next_.store(recorded_);
  return {};
}

void IdentAllocator::stage(rocksdb::WriteBatch& batch, const Database& database) {
  staged_ = next_.load(std::memory_order_relaxed);
  if (staged_ == recorded_) return;
  char value[4];
  keys::store_be32(value, staged_);
  (void)batch.Put(database.family(Family::kMeta), keys::kIdentRow,
                  rocksdb::Slice(value, sizeof(value)));
}

RecordId RecordIds::allocate(CollectionId collection) {
  Shard& shard = shards_[collection % kShards];
  {
    const std::shared_lock lock(shard.mutex);
    const auto found = shard.last.find(collection);
    if (found != shard.last.end())
      return found->second->fetch_add(1, std::memory_order_relaxed) + 1;
  }
  const std::unique_lock lock(shard.mutex);
  auto& last = shard.last[collection];
  if (last == nullptr) {
    Result<RecordId> stored = last_stored(collection);
    if (!stored) {
      shard.last.erase(collection);
      log::write(log::Severity::kError, log::Component::kStorage, 3102,
                 "Last record cannot be read",
                 {{"collection", collection}, {"error", stored.error().detail()}});
      return 0;
    }
    last = std::make_unique<std::atomic<RecordId>>(*stored);
  }
  return last->fetch_add(1, std::memory_order_relaxed) + 1;
}

Result<RecordId> RecordIds::last_stored(CollectionId collection) const {
  const std::string lower = keys::ident_prefix(collection);
  const std::string upper = keys::ident_end(collection);
  const rocksdb::Slice lower_slice(lower);
  const rocksdb::Slice upper_slice(upper);
  rocksdb::ReadOptions options = database_.newest();
  options.iterate_lower_bound = &lower_slice;
  options.iterate_upper_bound = &upper_slice;
  const std::unique_ptr<rocksdb::Iterator> iterator(
      database_.db()->NewIterator(options, database_.family(Family::kRecords)));
  iterator->SeekForPrev(upper);
  RESTITCH_CHECK(checked(iterator->status()));
  return iterator->Valid() ? keys::record_of(iterator->key().ToStringView()) : RecordId{0};
}

}  // namespace restitch::storage
