#pragma once

#include <rocksdb/snapshot.h>

#include <memory>
#include <mutex>

#include "storage/database.h"
#include "storage/reader.h"

namespace restitch::storage {

// The committed state at one moment. Thread-safe. Keeps the database open.
class Snapshot final : public ReaderOver<Reader>, public std::enable_shared_from_this<Snapshot> {
 public:
  Snapshot(std::shared_ptr<const Database> database, bson::Timestamp time);
  ~Snapshot() override;
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  bson::Timestamp cluster_time() const override { return time_; }
  const Database& database() const override { return *database_; }
  const rocksdb::ReadOptions& read_options() const override { return read_options_; }
  Result<std::optional<RecordId>> keyed_record(IndexId index, std::string_view key,
                                               CollectionId collection, ReadTier tier,
                                               std::string& out) const override;

 private:
  Result<bool> get(Family family, std::string_view key, ReadTier tier,
                   std::string& out) const override;
  std::shared_ptr<const void> keep_alive() const override { return shared_from_this(); }

  std::shared_ptr<const Database> database_;
  bson::Timestamp time_;
  const rocksdb::Snapshot* handle_;
  rocksdb::ReadOptions read_options_;
};

// Holds the snapshot that readers get. Thread-safe.
class Publisher {
 public:
  std::shared_ptr<const Snapshot> current() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }
  void publish(std::shared_ptr<const Snapshot> snapshot) {
    {
      const std::lock_guard lock(mutex_);
      current_.swap(snapshot);
    }
    // The former one is released here, outside the lock.
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Snapshot> current_;
};

}  // namespace restitch::storage
