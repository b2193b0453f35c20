#pragma once

#include <memory>
#include <string>

#include "storage/change_log.h"
#include "storage/cluster_clock.h"
#include "storage/commit_queue.h"
#include "storage/database.h"
#include "storage/engine.h"
#include "storage/id_allocators.h"
#include "storage/log_writer.h"
#include "storage/maintenance.h"
#include "storage/page_cache_reads.h"
#include "storage/reclaim.h"
#include "storage/snapshot.h"
#include "storage/transaction.h"

namespace restitch::storage {

// What tests replace.
struct EngineEnvironment {
  rocksdb::Env* env = rocksdb::Env::Default();  // of which the file system is used
  bool uses_page_cache = true;                  // for reads that must not wait
  ClusterClock::Seconds wall_seconds = {};  // empty: the system's clock
  bool has_maintenance_thread = true;
};

class EngineImpl final : public Engine {
 public:
  static Result<std::unique_ptr<EngineImpl>> open(const EngineOptions& options,
                                                  EngineEnvironment environment);
  ~EngineImpl() override;

  SnapshotPtr snapshot() const override { return publisher_.current(); }
  std::unique_ptr<Transaction> begin(Transaction::Mode mode) override;
  void commit(std::unique_ptr<Transaction> transaction, Durability durability,
              CommitCallback done) override;
  RecordId allocate_record_id(CollectionId collection) override {
    return record_ids_.allocate(collection);
  }
  std::uint32_t allocate_ident() override { return idents_.allocate(); }
  Result<std::vector<std::pair<std::string, bson::Document>>> catalog_rows() const override;
  void reclaim_collection(CollectionId collection) override;
  void reclaim_index(IndexId index) override;
  Result<std::vector<CollectionId>> stored_collections() const override;
  Result<std::vector<IndexId>> stored_indexes() const override;
  Result<std::vector<ChangeLogEntry>> changes_after(bson::Timestamp after, std::uint32_t index,
                                                    std::size_t limit) const override;
  bson::Timestamp oldest_change() const override { return keys::time_of(change_log_.oldest()); }
  bson::Timestamp last_committed() const override { return keys::time_of(clock_.visible()); }
  void advance_cluster_time(bson::Timestamp seen) override { clock_.advance(keys::ticks_of(seen)); }
  void set_commit_listener(std::function<void(bson::Timestamp)> listener) override;
  Status checkpoint(const std::string& directory) const override;
  EngineStatistics statistics() const override;
  bool needs_restart() const override { return writer_.needs_restart(); }
  Status close() override;

  Maintenance& maintenance() { return *maintenance_; }
  const Database& database() const { return *database_; }

 private:
  EngineImpl(const EngineOptions& options, std::shared_ptr<Database> database,
             ClusterClock::Seconds wall, keys::Ticks last);
  Status start(bool with_maintenance_thread);
  Result<std::vector<std::uint32_t>> idents_in(Family family) const;

  std::shared_ptr<Database> database_;
  ChangeLog change_log_;
  ClusterClock clock_;
  IdentAllocator idents_;
  RecordIds record_ids_;
  mutable LogWriter writer_;
  Publisher publisher_;
  std::shared_ptr<WorkspacePool> workspaces_;
  std::unique_ptr<CommitQueue> queue_;
  std::unique_ptr<Reclaimer> reclaimer_;
  std::unique_ptr<Maintenance> maintenance_;
  bool is_closed_ = false;
};

}  // namespace restitch::storage
