#include "storage/log_writer.h"

#include "base/log.h"
#include "storage/rocks_status.h"

namespace restitch::storage {
namespace {

// Below every key: idents begin at 1.
constexpr char kUnusedBytes[keys::kIdentBytes] = {};
const rocksdb::Slice kUnusedKey(kUnusedBytes, sizeof(kUnusedBytes));
// RocksDB's Resume() may wait for ever for a flush that it lost.
constexpr auto kRepairTime = std::chrono::seconds(75);
constexpr auto kSpaceCheckInterval = std::chrono::milliseconds(50);

}  // namespace

Error LogWriter::fail(const rocksdb::Status& status) {
  if (!failed_.exchange(true)) {
    log::write(log::Severity::kError, log::Component::kStorage, 3103, "Storage cannot write",
               {{"error", status.ToString()}});
  }
  Error error = error_of(status);
  if (error.code() == ErrorCode::kIo) return error;
  return Error(ErrorCode::kIo, "the storage cannot write").with_detail(status.ToString());
}

Status LogWriter::write(rocksdb::WriteBatch& batch, bool sync, keys::Ticks last) {
  const auto refused = [] {
    return Error(ErrorCode::kIo,
                 "the disk failed or is full: writes are refused until it works again");
  };
  if (has_failed()) return refused();  // without waiting for a repair that is under way
  const std::lock_guard lock(write_mutex_);
  if (has_failed()) return refused();
  if (database_.take_sealed()) {
    if (const rocksdb::Status made = make_flushable(); !made.ok()) return fail(made);
  }
  // A synced write is in the log and synced before RocksDB shows it to readers.
  rocksdb::WriteOptions options;
  options.sync = sync;
  const rocksdb::Status status = database_.db()->Write(options, &batch);
  if (!status.ok()) return fail(status);
  written_.store(last, std::memory_order_release);
  if (sync) {
    syncs_.fetch_add(1, std::memory_order_relaxed);
    raise_synced(last);
  }
  return {};
}

void LogWriter::raise_synced(keys::Ticks ticks) {
  keys::Ticks synced = synced_.load(std::memory_order_relaxed);
  while (synced < ticks &&
         !synced_.compare_exchange_weak(synced, ticks, std::memory_order_release)) {
  }
}

Status LogWriter::make_durable(keys::Ticks ticks) {
  if (synced_.load(std::memory_order_acquire) >= ticks) return {};
  const keys::Ticks covered = written_.load(std::memory_order_acquire);
  const rocksdb::Status status = database_.db()->SyncWAL();
  if (!status.ok()) return fail(status);
  syncs_.fetch_add(1, std::memory_order_relaxed);
  raise_synced(covered);
  return {};
}

// The failed append may have left half a record at the end of the current log, and recovery reads
// no further than that. RocksDB writes nothing more to such a log, and Resume() leaves it behind by
// flushing, for which make_flushable() has provided. Flushing every family after that takes care
// that recovery needs the damaged log for none of them.
Status LogWriter::repair() {
  const std::lock_guard lock(write_mutex_);
  const bool background = database_.take_background_failure();
  if (!has_failed() && !background) return {};
  // Flushing into a full disk makes matters worse, and RocksDB pauses for a second at each failure.
  if (!has_reserve()) {
    failed_.store(true, std::memory_order_release);
    return out_of_disk_space();
  }
  repair_began_.store(std::chrono::steady_clock::now());
  const rocksdb::Status status = repair_database();
  repair_began_.store({});
  if (!status.ok()) {
    if (status.severity() >= rocksdb::Status::Severity::kFatalError && !needs_restart_) {
      needs_restart_ = true;
      log::write(log::Severity::kError, log::Component::kStorage, 3110,
                 "Storage writes again only after a restart", {{"error", status.ToString()}});
    }
    return fail(status);
  }
  raise_synced(written_.load(std::memory_order_acquire));
  failed_.store(false, std::memory_order_release);
  log::write(log::Severity::kInfo, log::Component::kStorage, 3104, "Storage writes again");
  return {};
}

rocksdb::Status LogWriter::repair_database() {
  const rocksdb::Status status = resume();
  return status.ok() && has_failed() ? leave_log() : status;
}

bool LogWriter::needs_restart() const {
  const auto began = repair_began_.load();
  const bool hangs = began != std::chrono::steady_clock::time_point() &&
                     std::chrono::steady_clock::now() > began + kRepairTime;
  return hangs || needs_restart_;
}

// RocksDB may have begun a flush by itself while the disk was full: a first attempt then reports
// its failure.
rocksdb::Status LogWriter::resume() {
  rocksdb::Status status = database_.db()->Resume();
  const bool is_fatal = status.severity() >= rocksdb::Status::Severity::kFatalError;
  return status.ok() || is_fatal ? status : database_.db()->Resume();
}

rocksdb::Status LogWriter::leave_log() {
  rocksdb::DB& db = *database_.db();
  rocksdb::Status status = make_flushable();
  if (status.ok()) status = database_.flush_all();
  if (!status.ok()) return status;
  rocksdb::WriteOptions synced;
  synced.sync = true;
  return db.Put(synced, database_.family(Family::kMeta), keys::kRepairRow, rocksdb::Slice());
}

// Writes that change nothing and are in no log, so that no full disk can fail them.
rocksdb::Status LogWriter::make_flushable() {
  rocksdb::WriteBatch nothing;
  for (rocksdb::ColumnFamilyHandle* family : database_.families()) {
    if (const rocksdb::Status added = nothing.Delete(family, kUnusedKey); !added.ok()) return added;
  }
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  return database_.db()->Write(unlogged, &nothing);
}

bool LogWriter::has_space(std::size_t bytes) {
  const auto now = std::chrono::steady_clock::now();
  if (now >= next_space_check_ || free_bytes_ < reserve_bytes_ + 2 * bytes) {
    next_space_check_ = now + kSpaceCheckInterval;
    free_bytes_ = free_space();
  }
  return free_bytes_ >= reserve_bytes_ + 2 * bytes;
}

std::uint64_t LogWriter::free_space() const {
  const rocksdb::DB* db = database_.db();
  std::uint64_t free = 0;
  return db->GetEnv()->GetFreeSpace(db->GetName(), &free).ok() ? free : UINT64_MAX;
}

}  // namespace restitch::storage
