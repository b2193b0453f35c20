#pragma once

#include <rocksdb/write_batch.h>

#include <atomic>
#include <chrono>
#include <mutex>

#include "storage/database.h"
#include "storage/key_layout.h"

namespace restitch::storage {

// The only way into the database: writes batches, knows how far the write-ahead log is synced, and
// refuses to write between a disk error and its repair.
class LogWriter {
 public:
  // `reserve_bytes` of the disk stay free for flushes, compactions and the log.
  LogWriter(const Database& database, std::uint64_t reserve_bytes)
      : database_(database), reserve_bytes_(reserve_bytes) {}

  // Commit thread. Whether the disk takes a batch of that size and keeps its reserve: a disk that
  // runs full under RocksDB is much harder to come back from.
  bool has_space(std::size_t bytes);
  // Whether the disk has its reserve, which flushing needs. Any thread; asks the disk.
  bool has_reserve() const { return free_space() >= reserve_bytes_; }

  // Commit thread. The batch is visible to readers only when it is as durable as asked. `last` is
  // the newest cluster time written so far. After an error nothing of the batch is visible, and
  // every later write fails with kIo.
  Status write(rocksdb::WriteBatch& batch, bool sync, keys::Ticks last);

  // Returns when everything up to `ticks` is synced. Any thread.
  Status make_durable(keys::Ticks ticks);
  Status sync() { return make_durable(written_.load(std::memory_order_acquire)); }
  bool has_unsynced() const {
    return synced_.load(std::memory_order_acquire) < written_.load(std::memory_order_acquire);
  }

  bool has_failed() const { return failed_.load(std::memory_order_acquire); }
  bool needs_repair() const { return has_failed() || database_.has_background_failure(); }
  // Tries to make the database work again after an error of a write, flush or compaction.
  Status repair();
  // Whether only opening the database anew helps. Any thread.
  bool needs_restart() const;

  std::uint64_t syncs() const { return syncs_.load(std::memory_order_relaxed); }

 private:
  Error fail(const rocksdb::Status& status);
  std::uint64_t free_space() const;
  rocksdb::Status resume();
  rocksdb::Status repair_database();
  rocksdb::Status leave_log();
  // After a memtable was sealed: gives each family something to flush, which repair() needs.
  rocksdb::Status make_flushable();
  void raise_synced(keys::Ticks ticks);

  const Database& database_;
  std::mutex write_mutex_;  // held for a write and for a repair
  std::atomic<keys::Ticks> written_{0}, synced_{0};
  std::atomic<std::uint64_t> syncs_{0};
  std::atomic<bool> failed_{false};
  std::atomic<bool> needs_restart_{false};
  // Of the repair that is under way; the clock's epoch if none is.
  std::atomic<std::chrono::steady_clock::time_point> repair_began_{};

  std::uint64_t reserve_bytes_;
  std::uint64_t free_bytes_ = 0;
  std::chrono::steady_clock::time_point next_space_check_;
};

}  // namespace restitch::storage
