#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "bson/document.h"
#include "datasource/data_source.h"

namespace restitch::datasource {

// A multi-document transaction with a session of its own. Pass it to the operations that belong to
// it (in CallOptions), then commit() or abort(). A transaction that failed has been aborted by the
// data source. One operation at a time. Dropping an open transaction leaves it to the data source's
// time limit.
class ClientTransaction {
 public:
  explicit ClientTransaction(DataSource& source);

  // Appends lsid, txnNumber, autocommit and, for the first command, startTransaction. Call it once
  // for each command, after the command's own fields.
  void decorate(bson::Builder& command);
  // Sees the reply of a decorated command; run_command() does this itself.
  void observe(bson::View reply);

  Task<void> commit(Deadline deadline = kNoDeadline);
  // Succeeds too when nothing was started or the data source has aborted it already.
  Task<void> abort(Deadline deadline = kNoDeadline);

  // Whether the last failure allows the whole transaction to be run again (label
  // TransientTransactionError).
  bool is_transient() const { return is_transient_; }
  // Whether commit() failed in a way that allows commit() to be called again.
  bool is_commit_unknown() const { return is_commit_unknown_; }
  // Makes ready for another transaction in the same session.
  void restart();

 private:
  Task<void> end(const char* command, Deadline deadline);

  DataSource* source_;
  std::string session_;  // 16 bytes: the UUID
  std::int64_t number_ = 1;
  bool has_started_ = false;
  bool is_transient_ = false;
  bool is_commit_unknown_ = false;
};

struct CallOptions {
  ClientTransaction* transaction = nullptr;  // kept by the caller until the call ends
  Deadline deadline = kNoDeadline;
  // Acknowledge a write before it is on the disk (w: 1): for logs and the like. Ignored in a
  // transaction.
  bool relaxed_durability = false;
};

// The option structs below have a constructor of their own because g++ 12 destroys an aggregate's temporary twice when it
// is an argument of an awaited call, as the default arguments of Collection are.
struct FindOptions {
  FindOptions() {}  // not an aggregate: see the note above

  bson::Document projection;
  bson::Document sort;
  std::int64_t skip = 0;
  std::int64_t limit = 0;       // 0: no limit
  std::int32_t batch_size = 0;  // 0: the source's default
  bson::Document collation;
  bson::Value hint;
};

struct UpdateOptions {
  UpdateOptions() {}  // not an aggregate: see the note above

  bool upsert = false;
  bson::Document array_filters;  // an array
  bson::Document collation;
};

struct FindAndModifyOptions {
  FindAndModifyOptions() {}  // not an aggregate: see the note above

  bson::Document projection;
  bson::Document sort;
  bool upsert = false;
  bool return_new = false;
  bson::Document array_filters;  // an array
  bson::Document collation;
};

struct UpdateResult {
  std::int64_t matched = 0;  // without upserted ones
  std::int64_t modified = 0;
  std::optional<bson::Value> upserted_id;
};

struct IndexOptions {
  IndexOptions() {}  // not an aggregate: see the note above

  std::string name;  // empty: made from the keys
  bool unique = false;
  bool sparse = false;
  bson::Document partial_filter;
  std::optional<std::int64_t> expire_after_seconds;
};

// The batches of a find or aggregate. Not thread-safe. Dropping an open cursor leaves it to the
// source's time limit.
class Cursor {
 public:
  Cursor() = default;
  Cursor(DataSource& source, std::string database, std::string collection,
         bson::Document first_reply, CallOptions options, std::int32_t batch_size);

  // The next documents, at least one; an empty vector at the end.
  Task<std::vector<bson::Document>> next_batch();
  // Whether next_batch() has nothing more to ask the source for.
  bool is_exhausted() const { return id_ == 0 && !has_buffered_; }
  std::int64_t id() const { return id_; }
  // Kills it at the source.
  Task<void> close();

 private:
  DataSource* source_ = nullptr;
  std::string database_, collection_;
  bson::Document reply_;  // holds the batch not yet given out
  CallOptions options_;
  std::int64_t id_ = 0;
  std::int32_t batch_size_ = 0;
  bool has_buffered_ = false;
};

// Runs a command and maps a failed reply to an Error (error_of_reply). `builder` holds the
// command's own fields; the transaction's are added here. `database` is copied.
Task<bson::Document> run_command(DataSource& source, std::string_view database,
                                 bson::Builder builder, CallOptions options = {});

// One collection of a data source, as the server's own code uses it. Cheap to copy. Views passed in
// need to live only until the call returns its Task; `source` must outlive every Task. Errors are
// those of error_of_reply.
class Collection {
 public:
  Collection(DataSource& source, std::string database, std::string name)
      : source_(&source), database_(std::move(database)), name_(std::move(name)) {}

  Task<std::optional<bson::Document>> find_one(bson::View filter, FindOptions find = {},
                                               CallOptions options = {}) const;
  // All batches.
  Task<std::vector<bson::Document>> find(bson::View filter, FindOptions find = {},
                                         CallOptions options = {}) const;
  Task<Cursor> open(bson::View filter, FindOptions find = {}, CallOptions options = {}) const;
  // All batches. `pipeline` is an array.
  Task<std::vector<bson::Document>> aggregate(bson::View pipeline, CallOptions options = {}) const;
  Task<Cursor> open_aggregate(bson::View pipeline, std::int32_t batch_size = 0,
                              CallOptions options = {}) const;
  // Number of documents that match.
  Task<std::int64_t> count(bson::View filter, CallOptions options = {}) const;

  // The document's _id, generated when absent.
  Task<bson::Value> insert_one(bson::View document, CallOptions options = {}) const;
  // Ordered; the _ids of the documents up to the first failure are stored, the failure is the
  // Error.
  Task<std::vector<bson::Value>> insert_many(const std::vector<bson::Document>& documents,
                                             CallOptions options = {}) const;

  // `update`: operators (object) or a pipeline (array).
  Task<UpdateResult> update_one(bson::View filter, bson::ValueView update,
                                UpdateOptions update_options = {}, CallOptions options = {}) const;
  Task<UpdateResult> update_one(bson::View filter, bson::View update,
                                UpdateOptions update_options = {}, CallOptions options = {}) const;
  Task<UpdateResult> update_many(bson::View filter, bson::ValueView update,
                                 UpdateOptions update_options = {}, CallOptions options = {}) const;
  Task<UpdateResult> update_many(bson::View filter, bson::View update,
                                 UpdateOptions update_options = {}, CallOptions options = {}) const;
  Task<UpdateResult> replace_one(bson::View filter, bson::View replacement,
                                 UpdateOptions update_options = {}, CallOptions options = {}) const;

  // The document before (or, with return_new, after) the change; nothing when none matched.
  Task<std::optional<bson::Document>> find_one_and_update(bson::View filter, bson::View update,
                                                          FindAndModifyOptions modify = {},
                                                          CallOptions options = {}) const;
  Task<std::optional<bson::Document>> find_one_and_delete(bson::View filter,
                                                          FindAndModifyOptions modify = {},
                                                          CallOptions options = {}) const;

  // Number of deleted documents.
  Task<std::int64_t> delete_one(bson::View filter, CallOptions options = {}) const;
  Task<std::int64_t> delete_many(bson::View filter, CallOptions options = {}) const;

  // Creates the index (and the collection) unless it is there.
  Task<void> ensure_index(bson::View keys, IndexOptions index = {}, CallOptions options = {}) const;
  // Drops the collection; no error when there is none.
  Task<void> drop(CallOptions options = {}) const;

  const std::string& database() const { return database_; }
  const std::string& name() const { return name_; }
  DataSource& source() const { return *source_; }

 private:
  DataSource* source_;
  std::string database_, name_;
};

namespace detail {
// Waits before another attempt of a transaction: growing with `attempt`, with jitter.
Task<void> wait_before_retry(int attempt);
}  // namespace detail

// How long with_transaction() goes on trying when it is given no deadline.
inline constexpr std::chrono::seconds kTransactionRetryTime{120};

// Runs `body` (a callable taking ClientTransaction& and giving a Task<T>) in a transaction and
// commits it; runs it again after a transient failure. `body` must pass the transaction to every
// operation and must not commit. `body` is kept in the coroutine; what it refers to must outlive
// the call. A failed body aborts the transaction.
template <typename F>
std::invoke_result_t<F&, ClientTransaction&> with_transaction(DataSource& source, F body,
                                                              Deadline deadline = kNoDeadline) {
  const Deadline until =
      deadline == kNoDeadline ? std::chrono::steady_clock::now() + kTransactionRetryTime : deadline;
  ClientTransaction transaction(source);
  for (int attempt = 0;; ++attempt) {
    if (attempt > 0) {
      transaction.restart();
      auto waited = co_await detail::wait_before_retry(attempt);
      if (!waited) co_return std::move(waited).error();
    }
    auto result = co_await body(transaction);
    if (!result) {
      const bool again = transaction.is_transient() && std::chrono::steady_clock::now() < until;
      auto aborted = co_await transaction.abort(deadline);
      static_cast<void>(aborted);
      if (again) continue;
      co_return std::move(result).error();
    }
    bool run_again = false;
    for (;;) {
      auto committed = co_await transaction.commit(deadline);
      if (committed) co_return result;
      const bool in_time = std::chrono::steady_clock::now() < until;
      if (transaction.is_commit_unknown() && in_time) continue;
      run_again = transaction.is_transient() && in_time;
      if (!run_again) co_return std::move(committed).error();
      break;
    }
  }
}

}  // namespace restitch::datasource
