#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::storage {

using CollectionId = std::uint32_t;  // never reused
using IndexId = std::uint32_t;       // never reused
using RecordId = std::int64_t;       // per collection, growing: scans return insertion order

// Whether a read may wait for the disk. With kCacheOnly a read that would have to answers
// kWouldBlock: what it needs is neither in the block cache nor, as far as the kernel can tell, in
// the page cache.
enum class ReadTier : std::uint8_t { kCacheOnly, kAll };

// Bounds of an index scan over encoded keys (bson/key_encoding.h). `end` empty = to the end of the
// index.
struct KeyRange {
  std::string start;  // inclusive
  std::string end;    // exclusive
};

// Forward or backward over records or index entries. Views are valid until the next call. Not
// thread-safe.
class RecordCursor {
 public:
  virtual ~RecordCursor() = default;
  // False at the end. kWouldBlock leaves the cursor where it was; it may be resumed with another
  // tier.
  virtual Result<bool> next() = 0;
  virtual RecordId id() const = 0;
  virtual bson::View document() const = 0;
  virtual void set_tier(ReadTier tier) = 0;
};

class IndexCursor {
 public:
  virtual ~IndexCursor() = default;
  virtual Result<bool> next() = 0;
  // Moves to the first entry at or behind `key` (in scan direction); the next call of next()
  // returns it.
  virtual Status seek(std::string_view key) = 0;
  virtual std::string_view key() const = 0;  // encoded values, without the record id
  virtual std::string_view type_bits() const = 0;
  virtual RecordId record() const = 0;
  virtual void set_tier(ReadTier tier) = 0;
};

struct IndexRef {
  IndexId id = 0;
  bool unique = false;
};

// A consistent state of all data. Thread-safe unless it is a Transaction.
class Reader {
 public:
  virtual ~Reader() = default;
  // False if there is no such record; else its bytes are in `out`.
  virtual Result<bool> record(CollectionId collection, RecordId id, ReadTier tier,
                              std::string& out) const = 0;
  // The record of an exact key of a unique index; nothing if absent.
  virtual Result<std::optional<RecordId>> unique_entry(IndexId index, std::string_view key,
                                                       ReadTier tier) const = 0;
  // Both in one: the record of an exact key of a unique index of the collection, its bytes in `out`.
  virtual Result<std::optional<RecordId>> keyed_record(IndexId index, std::string_view key,
                                                       CollectionId collection, ReadTier tier,
                                                       std::string& out) const = 0;
  virtual std::unique_ptr<RecordCursor> records(
      CollectionId collection, bool forward, ReadTier tier,
      std::optional<RecordId> from = std::nullopt) const = 0;
  virtual std::unique_ptr<IndexCursor> entries(IndexRef index, KeyRange range, bool forward,
                                               ReadTier tier) const = 0;
  // Rows of the session store (retryable writes, later transactions).
  virtual Result<std::optional<bson::Document>> session_row(std::string_view key) const = 0;
  // Every commit up to this time is visible. For a snapshot of the engine exactly those are.
  virtual bson::Timestamp cluster_time() const = 0;
};
using SnapshotPtr = std::shared_ptr<const Reader>;

// One change for the change log, written in the same batch as its transaction. The commit adds the
// cluster time.
struct Change {
  bson::Document entry;  // as datasource/embedded/change_log.h lays it out
  std::optional<bson::Document> pre_image;
};

enum class Durability : std::uint8_t {
  kJournaled,  // acknowledged after fsync
  kBuffered,  // acknowledged once in the log's buffer of the operating system; synced within 100 ms
};

struct Committed {
  bson::Timestamp cluster_time;
};

// Uncommitted writes over a view of the data. Own writes are read back. Dropping it rolls back.
// Conflicts are found at the write, never at the commit: kWriteConflict at once when another open
// transaction holds the record or key, or (snapshot mode) when it changed after the snapshot. One
// thread at a time.
class Transaction : public Reader {
 public:
  enum class Mode : std::uint8_t {
    kSnapshot,  // multi-document transaction: reads one snapshot, first writer wins
    kLatest,    // one statement: locks, then works on the newest committed version
  };

  // Locks the record and reads it as this transaction may change it; false if it is gone.
  virtual Result<bool> lock_record(CollectionId collection, RecordId id, std::string& out) = 0;
  virtual Status put_record(CollectionId collection, RecordId id, bson::View document) = 0;
  virtual Status delete_record(CollectionId collection, RecordId id) = 0;
  // kDuplicateKey if a unique key belongs to another record. Entries of other indexes are covered
  // by the lock of their record, which the caller holds. Deleting a unique key of another record
  // does nothing.
  virtual Status put_entry(IndexRef index, std::string_view key, std::string_view type_bits,
                           RecordId id) = 0;
  virtual Status delete_entry(IndexRef index, std::string_view key, RecordId id) = 0;
  virtual void add_change(Change change) = 0;
  virtual void put_session_row(std::string_view key, bson::View row) = 0;
  virtual void put_catalog_row(std::string_view key, bson::View row) = 0;
  virtual void delete_catalog_row(std::string_view key) = 0;
  // Bytes written so far, for the limit on a transaction's size.
  virtual std::size_t write_bytes() const = 0;

  // Marks the present state (one mark at a time; a new one replaces it). rollback_to_mark() takes
  // back every write and change since the mark and removes it: a statement that fails half-way
  // leaves nothing behind. Locks stay. Rolling back costs time in proportion to everything the
  // transaction wrote so far.
  virtual void mark() = 0;
  virtual void rollback_to_mark() = 0;
};

struct ChangeLogEntry {
  bson::Timestamp cluster_time;
  std::uint32_t index = 0;  // position in its transaction
  bson::Document entry;
  std::optional<bson::Document> pre_image;
};

struct EngineOptions {
  std::string directory;
  std::size_t block_cache_bytes = 256ULL << 20U;
  // For documents looked up by a unique key; its table takes up to 19 MiB beside it. 0: none.
  std::size_t document_cache_bytes = 48ULL << 20U;
  std::size_t write_buffer_bytes = 64ULL << 20U;
  std::int64_t change_log_max_age_seconds = 24LL * 3600;
  std::int64_t change_log_max_bytes = 1LL << 30U;
};

struct EngineStatistics {
  std::uint64_t commits = 0, commit_groups = 0, syncs = 0;
  std::uint64_t bytes_on_disk = 0;
};

// The embedded cluster's storage on RocksDB (spec: mongodb-engine §13): column families, one commit
// queue that assigns cluster times and writes data, change log and session rows in one batch, group
// commit with one fsync for many writers, recovery. Thread-safe.
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> open(EngineOptions options);
  virtual ~Engine() = default;

  // The newest state whose writes are all durable. Cheap: shared until the next commit group.
  virtual SnapshotPtr snapshot() const = 0;
  virtual std::unique_ptr<Transaction> begin(Transaction::Mode mode) = 0;

  // Queues the commit. `done` is called once, on the commit thread, in commit order, when the
  // writes are as durable as asked and visible to snapshot(); it must not block. After a disk error
  // every later commit fails with kIo until the engine can write again.
  using CommitCallback = std::function<void(Result<Committed>)>;
  virtual void commit(std::unique_ptr<Transaction> transaction, Durability durability,
                      CommitCallback done) = 0;

  // May read from disk the first time for a collection. 0 if that fails; put_record refuses it with
  // kIo.
  virtual RecordId allocate_record_id(CollectionId collection) = 0;
  virtual std::uint32_t
  allocate_ident() = 0;  // for new collections and indexes; durable, never reused

  // All catalog rows, in key order.
  virtual Result<std::vector<std::pair<std::string, bson::Document>>> catalog_rows() const = 0;
  // Frees the space of a dropped collection or index in the background.
  virtual void reclaim_collection(CollectionId collection) = 0;
  virtual void reclaim_index(IndexId index) = 0;
  // Idents that own stored bytes, ascending. What no catalog row names was left by a crash between
  // the drop and its reclaim, and may be reclaimed at start.
  virtual Result<std::vector<CollectionId>> stored_collections() const = 0;
  virtual Result<std::vector<IndexId>> stored_indexes() const = 0;

  // Change log, strictly behind `after`, at most `limit` entries; fewer only when the log ends.
  // What it gives is synced. MongoDB's code 286 when changes behind `after` are trimmed already,
  // unless `after` is zero: from the oldest on.
  virtual Result<std::vector<ChangeLogEntry>> changes_after(bson::Timestamp after,
                                                            std::uint32_t index,
                                                            std::size_t limit) const = 0;
  // Every change at or behind this time is still in the log.
  virtual bson::Timestamp oldest_change() const = 0;
  virtual bson::Timestamp last_committed() const = 0;
  // Later commits get times above `seen` (a cluster time gossiped by a client). The caller has
  // checked its bounds.
  virtual void advance_cluster_time(bson::Timestamp seen) = 0;
  // Called on the commit thread after every published group.
  virtual void set_commit_listener(std::function<void(bson::Timestamp)> listener) = 0;

  // Consistent online copy into a new directory.
  virtual Status checkpoint(const std::string& directory) const = 0;
  virtual EngineStatistics statistics() const = 0;
  // Whether a disk error left RocksDB in a state that only a new process comes out of. Nothing
  // acknowledged is lost by a kill then; reads go on without one.
  virtual bool needs_restart() const = 0;
  // Waits for queued commits, flushes, closes. Nothing may be called afterwards.
  virtual Status close() = 0;
};

}  // namespace restitch::storage
