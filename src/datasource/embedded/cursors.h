#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/change_stream/wakeup.h"
#include "datasource/embedded/executor.h"
#include "datasource/embedded/session_key.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// A stream of result documents behind a cursor. It may be moved to another state of the data
// between batches.
class ResultStream {
 public:
  virtual ~ResultStream() = default;

  // `snapshot` may be null when `reader` is a transaction that the caller keeps.
  virtual void attach(const storage::Reader& reader, storage::SnapshotPtr snapshot,
                      storage::ReadTier tier, WorkBudget* budget) = 0;
  virtual void detach() = 0;
  virtual void set_deadline(std::chrono::steady_clock::time_point deadline) = 0;
  // False at the end. kWouldBlock: see PlanExecutor.
  virtual Result<bool> next() = 0;
  // The current result; valid until the next call of anything.
  virtual bson::View document() const = 0;
  // Whether nothing can follow (a limit is reached); false when that is not known.
  virtual bool is_finished() const { return false; }

  // Whether more may come after next() has given false. Then kWouldBlock loses nothing: next() may
  // be called again.
  virtual bool is_tailable() const { return false; }
  // Adds members to `cursor` of a reply. `is_current_given`: the current result is in the batch.
  virtual void append_cursor_fields(bson::Builder&, bool) const {}
  // Whether next() may not know yet of something that was acknowledged, unless it may wait for the
  // disk.
  virtual bool is_behind() const { return false; }
  // Has `wakeup` woken when next() may have something. False when it has already.
  virtual bool subscribe(const WakeupPtr&) { return false; }
  virtual void unsubscribe(const WakeupPtr&) {}
  // Adds how it has read so far.
  virtual void summarize(ExecutionSummary&) const {}
};

// Results that are all there: listings.
class ListStream final : public ResultStream {
 public:
  explicit ListStream(std::vector<bson::Document> documents) : documents_(std::move(documents)) {}

  void attach(const storage::Reader&, storage::SnapshotPtr, storage::ReadTier,
              WorkBudget*) override {}
  void detach() override {}
  void set_deadline(std::chrono::steady_clock::time_point) override {}
  Result<bool> next() override { return at_ < documents_.size() ? (++at_, true) : false; }
  bson::View document() const override { return documents_[at_ - 1]; }
  bool is_finished() const override { return at_ == documents_.size(); }

 private:
  std::vector<bson::Document> documents_;
  std::size_t at_ = 0;
};

// An open cursor between two batches.
struct ClientCursor {
  std::int64_t id = 0;
  std::string ns;                          // as replies print it
  std::string session;                     // id of the session it was opened in; may be empty
  std::optional<std::int64_t> txn_number;  // of the transaction it belongs to
  std::string owner;                       // user@db; empty without authentication
  storage::CollectionId collection = 0;    // dropped collections kill their cursors; 0: none
  bool has_no_timeout = false;
  std::string command_name;  // find, aggregate …: for error prefixes
  // The state that a snapshot read goes on reading; null: the newest one for each batch.
  storage::SnapshotPtr snapshot;
  std::unique_ptr<ResultStream> stream;
  std::optional<bson::Document> pending;  // read but not given out: it did not fit
  WakeupPtr wakeup;  // of a getMore that waits for data; null when the cursor never waits
  bool is_change_stream = false;
  std::chrono::steady_clock::time_point last_use;
  bool is_busy = false;    // guarded by the table
  bool is_killed = false;  // guarded by the table
};

inline constexpr std::size_t kMaxCursors = 100'000;

// All open cursors. Thread-safe.
class CursorTable {
 public:
  // Takes a cursor in and gives its number. Error when there are too many.
  Result<std::int64_t> add(std::unique_ptr<ClientCursor> cursor);
  // Takes the cursor for one batch: 43 unknown, 143 in use.
  Result<std::shared_ptr<ClientCursor>> take(std::int64_t id);
  void give_back(const std::shared_ptr<ClientCursor>& cursor);
  void remove(std::int64_t id);
  // False if there is none. One in use ends after its batch.
  bool kill(std::int64_t id);
  void kill_all();
  // Ends the waits for data.
  void wake_all();
  void kill_of_sessions(const SessionPicker& picks);
  void kill_of_transaction(const std::string& session, std::int64_t txn_number);
  void kill_of_collection(storage::CollectionId collection);
  void expire(std::chrono::steady_clock::time_point now, std::chrono::milliseconds idle_time);
  std::size_t size() const;
  // Whether a cursor in use is to end.
  bool is_killed(const ClientCursor& cursor) const;
  bool is_change_stream(std::int64_t id) const;
  struct Counts {
    std::uint64_t opened = 0, timed_out = 0;  // since the start
    std::uint64_t open = 0, pinned = 0, no_timeout = 0;
  };
  Counts counts() const;
  // Cursors between two batches, as $currentOp tells of them.
  std::vector<bson::Document> describe(std::string_view host) const;
  // Whether the cursor is there, and on which namespace.
  std::optional<std::string> namespace_of(std::int64_t id) const;
  // Nothing when there is no such cursor.
  std::optional<std::string> owner_of(std::int64_t id) const;

 private:
  template <typename Predicate>
  std::size_t kill_if(Predicate predicate);

  mutable std::mutex mutex_;
  std::unordered_map<std::int64_t, std::shared_ptr<ClientCursor>> cursors_;
  std::uint64_t opened_ = 0;
  std::atomic<std::uint64_t> timed_out_{0};
};

struct BatchOptions {
  std::optional<std::int64_t> batch_size;  // nothing: no limit but the bytes
  bool is_single = false;                  // the cursor is closed behind this batch
  ExecutionSummary* summary = nullptr;  // told what the batch took
};

struct Batch {
  std::int64_t count = 0;
  bool is_exhausted = false;  // nothing more can follow
};
// Appends documents of an attached stream to the open array. When it fails the array is incomplete
// and what was read is lost; a tailable stream that would block ends the batch instead, unless it
// is empty.
Result<Batch> read_batch(bson::Builder& array, ClientCursor& cursor, const BatchOptions& options);

// The reply to the command that opened a cursor; the cursor is put into the table when more may
// follow. Its stream is attached and stays so only while this runs.
Result<bson::Document> open_cursor_reply(CursorTable& table, std::unique_ptr<ClientCursor> cursor,
                                         const BatchOptions& options);

}  // namespace restitch::datasource::embedded
