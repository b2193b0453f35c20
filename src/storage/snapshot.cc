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

}  // namespace restitch::storage
