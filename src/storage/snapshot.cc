#include "storage/snapshot.h"

#include "storage/page_cache_reads.h"

namespace restitch::storage {

Snapshot::Snapshot(std::shared_ptr<const Database> database, bson::Timestamp time)
    : database_(std::move(database)), time_(time), handle_(database_->db()->GetSnapshot()) {
  read_options_ = database_->newest();
  read_options_.snapshot = handle_;
}

Snapshot::~Snapshot() { database_->db()->ReleaseSnapshot(handle_); }

Result<bool> Snapshot::get(Family family, std::string_view key, ReadTier tier,
                           std::string& out) const {
  const NoWaitScope scope(tier == ReadTier::kCacheOnly);
  return found_of(database_->db()->Get(read_options_, database_->family(family), key, &out));
}

Result<std::optional<RecordId>> Snapshot::keyed_record(IndexId index, std::string_view key,
                                                       CollectionId collection, ReadTier tier,
                                                       std::string& out) const {
  DocumentCache& cache = database_->document_cache();
  const DocumentCache::Key cached(index, collection, key);
  const keys::Ticks now = keys::ticks_of(time_);
  if (const auto id = cache.find(cached, now, out)) return id;
  RESTITCH_TRY(const auto id, ReaderOver::keyed_record(index, key, collection, tier, out));
  if (id) cache.keep(cached, now, *id, out);
  return id;
}

}  // namespace restitch::storage
