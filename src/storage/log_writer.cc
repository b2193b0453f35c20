#include "storage/log_writer.h"

#include "base/log.h"
#include "storage/rocks_status.h"

namespace restitch::storage {
namespace {

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
// no further than that; RocksDB writes nothing more to such a log, and Resume() leaves it behind by
// flushing. But only if there is something to flush: that is what the row is for, whenever
// everything may have been flushed.
Status LogWriter::repair() {
  const std::lock_guard lock(write_mutex_);
  const bool background = database_.take_background_failure();
  if (!has_failed() && !background) return {};
  rocksdb::Status status = database_.db()->Resume();
  if (status.ok()) status = put_row(true);
  if (!status.ok()) return fail(status);
  raise_synced(written_.load(std::memory_order_acquire));
  failed_.store(false, std::memory_order_release);
  log::write(log::Severity::kInfo, log::Component::kStorage, 3104, "Storage writes again");
  return {};
}

Status LogWriter::keep_flushable() {
  const std::lock_guard lock(write_mutex_);
  if (has_failed()) return {};
  const rocksdb::Status status = put_row(false);
  if (!status.ok()) return fail(status);
  return {};
}

rocksdb::Status LogWriter::put_row(bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  return database_.db()->Put(options, database_.family(Family::kMeta), keys::kRepairRow,
                             rocksdb::Slice());
}

bool LogWriter::has_space(std::size_t bytes) {
  const auto now = std::chrono::steady_clock::now();
  if (now >= next_space_check_ || free_bytes_ < reserve_bytes_ + 2 * bytes) {
    next_space_check_ = now + kSpaceCheckInterval;
    const rocksdb::DB* db = database_.db();
    if (!db->GetEnv()->GetFreeSpace(db->GetName(), &free_bytes_).ok()) free_bytes_ = UINT64_MAX;
  }
  return free_bytes_ >= reserve_bytes_ + 2 * bytes;
}

}  // namespace restitch::storage
