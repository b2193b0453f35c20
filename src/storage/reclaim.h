#pragma once

#include <rocksdb/write_batch.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>

#include "storage/commit_queue.h"
#include "storage/database.h"
#include "storage/log_writer.h"

namespace restitch::storage {

// Frees what dropped collections and indexes occupied. First a row that remembers the job and a
// range deletion, in one write; then, once no snapshot is older than that, whole files are dropped,
// the rest is compacted as soon as the disk has space for that, and the row goes. Jobs that a restart interrupts begin anew.
class Reclaimer {
 public:
  Reclaimer(const Database& database, CommitQueue& queue, const LogWriter& writer)
      : database_(database), queue_(queue), writer_(writer) {}

  // Reads the jobs left by the last run.
  Status load();
  // Records the job without waiting. `family` is kRecords or kIndexes.
  void begin(Family family, std::uint32_t ident);
  // Maintenance thread: does what can be done now. `cancelled` stops a compaction.
  void run(std::atomic<bool>& cancelled);
  bool has_jobs() const;

 private:
  struct Job {
    Family family;
    std::uint32_t ident;
    auto operator<=>(const Job&) const = default;
  };
  // Sequence number behind the range deletion; 0 while it is not written.
  using Jobs = std::map<Job, rocksdb::SequenceNumber>;

  static std::string row_of(const Job& job);
  void delete_range(const Job& job);
  void free_files(const Job& job, std::atomic<bool>& cancelled);
  rocksdb::Status drop_and_compact(const Job& job, std::atomic<bool>& cancelled);

  const Database& database_;
  CommitQueue& queue_;
  const LogWriter& writer_;
  mutable std::mutex mutex_;
  Jobs jobs_;
};

}  // namespace restitch::storage
