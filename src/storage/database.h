#pragma once

#include <rocksdb/db.h>
#include <rocksdb/utilities/transaction_db.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "storage/document_cache.h"
#include "storage/engine.h"

namespace restitch::storage {

enum class Family : std::uint8_t {
  kMeta,
  kCatalog,
  kRecords,
  kIndexes,
  kChanges,
  kImages,
  kSessions,
  kCount
};

inline constexpr std::size_t kFamilies = static_cast<std::size_t>(Family::kCount);

// Writes the format file into a database directory.
Status write_format_file(const std::string& directory);

// What RocksDB's threads tell.
struct DatabaseEvents {
  std::atomic<bool> background_failure{false};
  std::atomic<bool> sealed{true};
};

// The open RocksDB database and its column families. Shared by everything that reads it (snapshots,
// transactions, cursors), so that it closes when the last of them is gone.
class Database {
 public:
  // kUnsupported: a newer format. kIo: in use by another process, or the disk failed.
  // kInvalidArgument: the directory holds another program's database.
  static Result<std::shared_ptr<Database>> open(const EngineOptions& options,
                                                std::unique_ptr<rocksdb::Env> env);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::DB* db() const { return base_; }
  rocksdb::TransactionDB* transactions() const { return transactions_.get(); }
  rocksdb::ColumnFamilyHandle* family(Family family) const {
    return handles_[static_cast<std::size_t>(family)];
  }
  // Of RocksDB's own number, as batches name it; null if there is none.
  rocksdb::ColumnFamilyHandle* family_of_number(std::uint32_t number) const;
  std::vector<rocksdb::ColumnFamilyHandle*> families() const {
    return {handles_.begin(), handles_.end()};
  }

  // Reads of the newest committed state.
  const rocksdb::ReadOptions& newest() const { return newest_; }

  // Flushes every family and returns when all of it is in tables. For when nobody writes. After a
  // failed DB::Resume(), RocksDB's own Flush() only begins to flush. TimedOut after a minute.
  rocksdb::Status flush_all() const;

  // Whether a flush or compaction failed since the last call of this.
  bool take_background_failure() const { return events_->background_failure.exchange(false); }
  bool has_background_failure() const { return events_->background_failure.load(); }
  // Whether a memtable was sealed since the last call of this.
  bool take_sealed() const { return events_->sealed.load() && events_->sealed.exchange(false); }

  // Thread-safe.
  DocumentCache& document_cache() const { return document_cache_; }

  // Row of the engine's own column family; nothing if absent.
  Result<std::optional<std::string>> meta_row(std::string_view key) const;
  // Bytes of all files, write-ahead log included.
  std::uint64_t bytes_on_disk() const;

 private:
  explicit Database(const EngineOptions& options) : document_cache_(options.document_cache_bytes) {}

  std::unique_ptr<rocksdb::Env> env_;  // outlives what is opened with it
  std::unique_ptr<rocksdb::TransactionDB> transactions_;
  rocksdb::DB* base_ = nullptr;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> handles_{};
  mutable DocumentCache document_cache_;
  rocksdb::ReadOptions newest_;
  std::shared_ptr<DatabaseEvents> events_ = std::make_shared<DatabaseEvents>();
};

}  // namespace restitch::storage
