#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "datasource/embedded/catalog.h"
#include "datasource/embedded/change_log.h"
#include "datasource/embedded/collection.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// A storage transaction with what has to happen in memory when it commits. One thread at a time.
class WriteUnit {
 public:
  explicit WriteUnit(std::unique_ptr<storage::Transaction> transaction)
      : transaction_(std::move(transaction)) {}

  ~WriteUnit() { end_inserts(); }
  WriteUnit(const WriteUnit&) = delete;
  WriteUnit& operator=(const WriteUnit&) = delete;

  storage::Transaction& transaction() { return *transaction_; }
  bool has_writes() const { return has_writes_; }
  void note_write() { has_writes_ = true; }
  std::size_t write_bytes() const { return transaction_->write_bytes(); }

  // Keeps the pin until the commit has ended. Returns the pinned version.
  const Collection& keep(WriterPin pin);
  // The version that this unit already writes with; null if none.
  const Collection* pinned(std::string_view full_name) const;

  // Collections that this unit creates: visible to itself until its commit shows them to all.
  CollectionPtr created(std::string_view full_name) const;
  void create(Catalog& catalog, std::shared_ptr<Collection> collection,
              NameReservation reservation);
  // Another version of one of them.
  void replace_created(std::shared_ptr<Collection> version);

  void count(const std::shared_ptr<CollectionCounters>& counters, std::int64_t count,
             std::int64_t bytes);
  // Documents and bytes this unit has added to a collection so far.
  std::int64_t added(const CollectionCounters& counters) const;
  std::int64_t added_bytes(const CollectionCounters& counters) const;
  // Remembers that the index is multikey: at once in memory, durably with the commit.
  void note_multikey(const IndexPtr& index, const std::vector<std::uint64_t>& bits);

  // An id for a record of a capped collection; undecided until the commit has ended.
  storage::RecordId begin_insert(storage::Engine& engine, const Collection& collection);

  const std::optional<ChangeOrigin>& origin() const { return origin_; }
  void set_origin(ChangeOrigin origin) { origin_ = std::move(origin); }

  // Queues the commit; `done` is called as by Engine::commit, after the effects in memory.
  static void commit(storage::Engine& engine, std::unique_ptr<WriteUnit> unit,
                     storage::Durability durability, storage::Engine::CommitCallback done);

 private:
  struct CounterChange {
    std::shared_ptr<CollectionCounters> counters;
    std::int64_t count = 0, bytes = 0;
  };
  struct MultikeyMark {
    std::shared_ptr<IndexRuntime> runtime;
    std::size_t field = 0;
    std::uint64_t bits = 0;
  };

  struct OpenInsert {
    std::shared_ptr<CollectionCounters> counters;
    storage::RecordId record = 0;
  };

  void apply_effects(bson::Timestamp committed);
  void end_inserts();

  std::unique_ptr<storage::Transaction> transaction_;
  std::vector<WriterPin> pins_;
  std::vector<CounterChange> counters_;
  std::vector<MultikeyMark> marks_;
  std::vector<std::shared_ptr<Collection>> created_;
  std::vector<NameReservation> reservations_;
  Catalog* catalog_ = nullptr;  // of what was created
  std::vector<OpenInsert> open_inserts_;
  std::optional<ChangeOrigin> origin_;
  bool has_writes_ = false;
};

// Commits on a thread that may wait.
Status wait_for_commit(storage::Engine& engine, std::unique_ptr<WriteUnit> unit,
                       storage::Durability durability);

}  // namespace restitch::datasource::embedded
