#include "storage/log_writer.h"

#include "base/log.h"
#include "storage/rocks_status.h"

namespace restitch::storage {

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
  const std::lock_guard lock(write_mutex_);
  if (has_failed()) {
    return Error(ErrorCode::kIo, "the disk failed or is full: writes are refused until it works again");
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
  while (synced < ticks && !synced_.compare_exchange_weak(synced, ticks, std::memory_order_release)) {
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

// The failed append may have left half a record at the end of the current log, and recovery reads no further than
// that. So nothing may be acknowledged before every family is flushed and a new log is begun. The row, which needs no
// log itself, makes sure that there is something to flush.
rocksdb::Status LogWriter::resume(rocksdb::DB& db) const {
  rocksdb::Status status = db.Resume();
  if (!status.ok()) return status;
  rocksdb::WriteBatch row;
  (void)row.Put(database_.family(Family::kMeta), keys::kRepairRow, rocksdb::Slice());
  rocksdb::WriteOptions without_log;
  without_log.disableWAL = true;
  status = db.Write(without_log, &row);
  if (!status.ok()) return status;
  rocksdb::WriteOptions synced;
  synced.sync = true;
  status = db.Write(synced, &row);
  if (!status.ok()) return status;
  rocksdb::FlushOptions options;
  options.allow_write_stall = true;
  return db.Flush(options, database_.families());
}

Status LogWriter::repair() {
  const std::lock_guard lock(write_mutex_);
  const bool background = database_.take_background_failure();
  if (!has_failed() && !background) return {};
  // RocksDB leaves a failed log only within Resume(), and there only if a memtable has something to flush. When none
  // had, the row of the first attempt serves the second.
  rocksdb::Status status = resume(*database_.db());
  if (!status.ok()) status = resume(*database_.db());
  if (!status.ok()) return fail(status);
  (void)database_.take_background_failure();
  raise_synced(written_.load(std::memory_order_acquire));
  failed_.store(false, std::memory_order_release);
  log::write(log::Severity::kInfo, log::Component::kStorage, 3104, "Storage writes again");
  return {};
}

}  // namespace restitch::storage
