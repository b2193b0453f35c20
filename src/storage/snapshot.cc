#include "storage/snapshot.h"

namespace restitch::storage {

Snapshot::Snapshot(std::shared_ptr<const Database> database, bson::Timestamp time)
    : database_(std::move(database)), time_(time), handle_(database_->db()->GetSnapshot()) {
  all_ = database_->newest(ReadTier::kAll);
  cached_ = database_->newest(ReadTier::kCacheOnly);
  all_.snapshot = handle_;
  cached_.snapshot = handle_;
}

Snapshot::~Snapshot() { database_->db()->ReleaseSnapshot(handle_); }

Result<bool> Snapshot::get(Family family, std::string_view key, ReadTier tier,
                           std::string& out) const {
  return found_of(database_->db()->Get(read_options(tier), database_->family(family), key, &out));
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
