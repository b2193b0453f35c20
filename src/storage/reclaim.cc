#include "storage/reclaim.h"

#include <rocksdb/convenience.h>

#include <vector>

#include "base/kill_point.h"
#include "base/log.h"
#include "storage/key_layout.h"
#include "storage/rocks_status.h"

namespace restitch::storage {

std::string Reclaimer::row_of(const Job& job) {
  std::string row(keys::kReclaimRows);
  row.push_back(job.family == Family::kRecords ? 'c' : 'i');
  return row + keys::ident_prefix(job.ident);
}

Status Reclaimer::load() {
  const std::unique_ptr<rocksdb::Iterator> rows(database_.db()->NewIterator(
      database_.newest(), database_.family(Family::kMeta)));
  const std::lock_guard lock(mutex_);
  for (rows->Seek(keys::kReclaimRows); rows->Valid() && rows->key().starts_with(keys::kReclaimRows);
       rows->Next()) {
    std::string_view key = rows->key().ToStringView();
    key.remove_prefix(keys::kReclaimRows.size());
    if (key.size() != 1 + keys::kIdentBytes)
      return Error(ErrorCode::kCorrupt, "stored data is damaged");
    jobs_[{key.front() == 'c' ? Family::kRecords : Family::kIndexes,
           keys::load_be32(key.data() + 1)}] = 0;
  }
  return checked(rows->status());
}

void Reclaimer::begin(Family family, std::uint32_t ident) {
  const Job job{family, ident};
  {
    const std::lock_guard lock(mutex_);
    jobs_.emplace(job, 0);
  }
  delete_range(job);
}

void Reclaimer::delete_range(const Job& job) {
  auto batch = std::make_unique<rocksdb::WriteBatch>();
  (void)batch->Put(database_.family(Family::kMeta), row_of(job), rocksdb::Slice());
  (void)batch->DeleteRange(database_.family(job.family), keys::ident_prefix(job.ident),
                           keys::ident_end(job.ident));
  queue_.push_internal(std::move(batch), [this, job](Status written) {
    if (!written) return;  // run() tries again
    const std::lock_guard lock(mutex_);
    jobs_[job] = database_.db()->GetLatestSequenceNumber();
  });
}

void Reclaimer::run(std::atomic<bool>& cancelled) {
  Jobs jobs;
  {
    const std::lock_guard lock(mutex_);
    jobs = jobs_;
  }
  std::uint64_t oldest_snapshot = 0;  // 0: there is none
  database_.db()->GetIntProperty(rocksdb::DB::Properties::kOldestSnapshotSequence,
                                 &oldest_snapshot);
  for (const auto& [job, deleted] : jobs) {
    if (cancelled.load()) return;
    if (deleted == 0) {
      delete_range(job);
    } else if (oldest_snapshot == 0 || oldest_snapshot >= deleted) {
      free_files(job, cancelled);
    }
  }
}

void Reclaimer::free_files(const Job& job, std::atomic<bool>& cancelled) {
  kill_point::reach("reclaim.freeing");
  const rocksdb::Status status = drop_and_compact(job, cancelled);
  if (!status.ok()) {
    if (!cancelled.load() && !status.IsNoSpace()) {
      log::write(log::Severity::kWarning, log::Component::kStorage, 3105,
                 "Dropped data was not reclaimed yet",
                 {{"ident", job.ident}, {"error", status.ToString()}});
    }
    return;
  }
  auto batch = std::make_unique<rocksdb::WriteBatch>();
  (void)batch->Delete(database_.family(Family::kMeta), row_of(job));
  if (!queue_.write_internal(std::move(batch))) return;
  const std::lock_guard lock(mutex_);
  jobs_.erase(job);
}

rocksdb::Status Reclaimer::drop_and_compact(const Job& job, std::atomic<bool>& cancelled) {
  const std::string first = keys::ident_prefix(job.ident);
  const std::string last = keys::ident_end(job.ident);
  const rocksdb::Slice begin(first);
  const rocksdb::Slice end(last);
  rocksdb::DB* db = database_.db();
  const rocksdb::Status dropped =
      rocksdb::DeleteFilesInRange(db, database_.family(job.family), &begin, &end);
  if (!dropped.ok()) return dropped;
  // It flushes what is in memory, and a flush into a full disk takes RocksDB's ability to write.
  if (!writer_.has_reserve()) return rocksdb::Status::NoSpace();
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  options.canceled = &cancelled;
  return db->CompactRange(options, database_.family(job.family), &begin, &end);
}

bool Reclaimer::has_jobs() const {
  const std::lock_guard lock(mutex_);
  return !jobs_.empty();
}

}  // namespace restitch::storage
