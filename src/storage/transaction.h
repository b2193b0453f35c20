#pragma once

#include <rocksdb/utilities/transaction.h>
#include <rocksdb/utilities/write_batch_with_index.h>

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "storage/reader.h"

namespace restitch::storage {

// What a transaction needs from RocksDB. A RocksDB transaction serves for its locks and for
// validating them against a snapshot; the writes lie in a batch of our own, so that keys which a
// lock already covers need none themselves.
struct Workspace {
  std::unique_ptr<rocksdb::Transaction> locks;
  rocksdb::WriteBatchWithIndex batch{rocksdb::BytewiseComparator(), 0, true};
};

// Keeps a few finished workspaces for reuse. Thread-safe. Keeps the database open.
class WorkspacePool {
 public:
  explicit WorkspacePool(std::shared_ptr<const Database> database)
      : database_(std::move(database)) {}

  std::unique_ptr<Workspace> take();
  // Drops the writes and releases the locks.
  void give_back(std::unique_ptr<Workspace> workspace);
  void clear();
  const Database& database() const { return *database_; }

 private:
  std::shared_ptr<const Database> database_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Workspace>> idle_;
};

class TransactionImpl final : public ReaderOver<Transaction> {
 public:
  // `visible` is a time of which every commit up to it is in the database.
  TransactionImpl(std::shared_ptr<WorkspacePool> pool, Mode mode, bson::Timestamp visible);
  ~TransactionImpl() override;
  TransactionImpl(const TransactionImpl&) = delete;
  TransactionImpl& operator=(const TransactionImpl&) = delete;

  Result<bool> lock_record(CollectionId collection, RecordId id, std::string& out) override;
  Status put_record(CollectionId collection, RecordId id, bson::View document) override;
  Status delete_record(CollectionId collection, RecordId id) override;
  Status put_entry(IndexRef index, std::string_view key, std::string_view type_bits,
                   RecordId id) override;
  Status delete_entry(IndexRef index, std::string_view key, RecordId id) override;
  void add_change(Change change) override;
  void put_session_row(std::string_view key, bson::View row) override;
  void put_catalog_row(std::string_view key, bson::View row) override;
  void delete_catalog_row(std::string_view key) override;
  std::size_t write_bytes() const override;
  void mark() override;
  void rollback_to_mark() override;

  bson::Timestamp cluster_time() const override { return visible_; }
  const Database& database() const override { return pool_->database(); }
  const rocksdb::ReadOptions& read_options() const override;
  rocksdb::WriteBatchWithIndex* own_writes() const override {
    return writes_ == 0 ? nullptr : &workspace_->batch;
  }
  std::uint64_t write_version() const override { return writes_; }
  std::uint64_t rollback_version() const override { return rollbacks_; }

  // For the commit: the writes as RocksDB takes them, and the changes.
  rocksdb::WriteBatch& batch() { return *workspace_->batch.GetWriteBatch(); }
  const std::vector<Change>& changes() const { return changes_; }
  // Hashes of the written records and unique index entries (document_cache.h).
  const std::vector<std::uint64_t>& written_hashes() const { return written_hashes_; }
  // Whether it drops something: then it may use the reserve of a full disk.
  bool frees_space() const { return frees_space_; }
  // The transaction is over: its locks are released. It must not be used any more.
  void finish();

 private:
  Result<bool> get(Family family, std::string_view key, ReadTier tier,
                   std::string& out) const override;
  std::shared_ptr<const void> keep_alive() const override { return nullptr; }
  Status lock(Family family, std::string_view key);
  Status lock_record_key(CollectionId collection, RecordId id);
  Status put(Family family, std::string_view key, std::string_view value);
  Status remove(Family family, std::string_view key);

  std::shared_ptr<WorkspacePool> pool_;
  std::unique_ptr<Workspace> workspace_;
  Mode mode_;
  bson::Timestamp visible_;
  rocksdb::ReadOptions snapshot_options_;
  std::vector<Change> changes_;
  std::vector<std::uint64_t> written_hashes_;
  std::size_t change_bytes_ = 0;
  std::uint64_t writes_ = 0, rollbacks_ = 0;
  // The record locked last: a statement reads, then writes it.
  CollectionId locked_collection_ = 0;
  RecordId locked_record_ = 0;
  bool has_locked_record_ = false;
  bool frees_space_ = false;
  bool has_mark_ = false;
  std::size_t marked_changes_ = 0, marked_change_bytes_ = 0;
};

}  // namespace restitch::storage
