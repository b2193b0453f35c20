#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "datasource/embedded/change_log.h"
#include "datasource/embedded/collection.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// 16 random bytes of a version 4 UUID.
std::string new_uuid();
// Catalog row that marks an index as multikey at a component of a field's path.
std::string multikey_row_key(storage::IndexId ident, std::size_t field, unsigned component);

// Commits on a thread that may wait.
Result<storage::Committed> commit_and_wait(storage::Engine& engine,
                                           std::unique_ptr<storage::Transaction> transaction);

class Catalog;

// Keeps others from giving the name to a collection, from the decision to the publication.
class NameReservation {
 public:
  NameReservation() = default;
  NameReservation(Catalog* catalog, std::string full_name)
      : catalog_(catalog), full_name_(std::move(full_name)) {}
  NameReservation(NameReservation&& other) noexcept
      : catalog_(std::exchange(other.catalog_, nullptr)), full_name_(std::move(other.full_name_)) {}
  NameReservation& operator=(NameReservation&& other) noexcept;
  NameReservation(const NameReservation&) = delete;
  NameReservation& operator=(const NameReservation&) = delete;
  ~NameReservation() { release(); }

  void release();

 private:
  Catalog* catalog_ = nullptr;
  std::string full_name_;
};

// The collections of the cluster: an immutable state in memory, rows in the storage. Readers take
// state() at any time. Changes are made by one thread at a time (the cluster's schema thread),
// durably, each with its entry in the change log, and wait for writers that still use the former
// version where they have to.
class Catalog {
 public:
  explicit Catalog(storage::Engine& engine) : engine_(engine) {}

  // Reads the rows; drops what unfinished index builds left; brings the counters up to the last
  // commit.
  Status load();

  CatalogStatePtr state() const;
  CollectionPtr find(std::string_view database, std::string_view collection) const;
  // Pins the newest version for writing; an empty pin if there is no such collection.
  WriterPin pin_for_write(std::string_view full_name) const;

  // For collections that a transaction creates, on any thread. reserve: 48 when there is such a
  // collection, kWriteConflict when somebody else is making it. make_new only makes the
  // description; stage_new and stage_indexes add rows and change to a transaction; publish_new,
  // after its commit, shows the collections to all.
  Result<NameReservation> reserve(const Namespace& ns);
  Result<std::shared_ptr<Collection>> make_new(const Namespace& ns, bson::View options,
                                               bson::View id_index_collation);
  static void stage_new(storage::Transaction& transaction, const Collection& collection);
  // A version with further indexes, ready at once: the collection is empty.
  Result<std::shared_ptr<Collection>> make_indexed(const Collection& collection,
                                                   const std::vector<IndexRequest>& requests);
  static void stage_indexes(storage::Transaction& transaction, const Collection& version,
                            std::size_t first_index);
  void publish_new(const std::vector<std::shared_ptr<Collection>>& collections,
                   bson::Timestamp committed);

  // Everything below: schema thread only.
  Result<CollectionPtr> create(const Namespace& ns, bson::View options,
                               bson::View id_index_collation);
  Status drop(const CollectionPtr& collection);
  // Takes the collection out of sight, in memory only, and waits for its writers; restore() brings
  // it back.
  void hide(const CollectionPtr& collection);
  void restore(const CollectionPtr& collection);
  // Drops all collections of the database.
  Status drop_database(std::string_view database);
  Status rename(const CollectionPtr& source, const Namespace& target, CollectionPtr dropped_target);
  // Replaces options; `changed` describes the change for the log.
  Status modify(const CollectionPtr& collection, bson::View options, bson::View changed);
  // Replaces the stored specification of one index.
  Status modify_index(const CollectionPtr& collection, std::string_view name, bson::View spec,
                      bson::View changed);
  // Adds indexes that writers maintain and readers do not use yet; returns the new version. Ready
  // at once when the collection has never had a document.
  Result<CollectionPtr> begin_indexes(const CollectionPtr& collection,
                                      const std::vector<IndexRequest>& requests);
  // The indexes `replaced` go away in the same moment.
  Status finish_indexes(const CollectionPtr& collection,
                        const std::vector<storage::IndexId>& idents,
                        const std::vector<storage::IndexId>& replaced = {});
  void abandon_indexes(storage::CollectionId collection,
                       const std::vector<storage::IndexId>& idents);
  Status drop_indexes(const CollectionPtr& collection, const std::vector<std::string>& names);

  // Waits until nobody writes with `version`, which must not be the current one.
  static void wait_for_writers(const Collection& version);

  // Stores the counters that changed, consistently with a point of the change log.
  Status save_counters();

 private:
  Status load_rows();
  // Frees what dropped or unfinished collections and indexes left behind.
  Status reclaim_orphans();
  Status replay_counters(bson::Timestamp since);
  friend class NameReservation;

  CollectionPtr find_ident(storage::CollectionId ident) const;
  void publish(const std::function<void(CatalogState&)>& change);
  void publish_version(const CollectionPtr& collection);
  Result<storage::Committed> write_row(const Collection& collection, storage::Change change);
  Status drop_rows(const std::vector<CollectionPtr>& collections,
                   std::vector<storage::Change> changes);

  storage::Engine& engine_;
  std::mutex publishing_;     // one change of state_ at a time
  mutable std::mutex mutex_;  // guards state_, for the time of a copy, and reserved_
  std::set<std::string, std::less<>> reserved_;
  CatalogStatePtr state_ = std::make_shared<CatalogState>();
};

}  // namespace restitch::datasource::embedded
