#include "datasource/embedded/catalog.h"
#include "datasource/embedded/commands/reads.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"
#include "datasource/embedded/users/access.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::chrono::seconds kSlice{1};
constexpr std::chrono::milliseconds kDefaultWait{1000};
// Documents that a waiting cursor may look at on its caller's thread: about a millisecond.
constexpr std::int64_t kInlineWork = 500;
constexpr int kEagerAttempts = 3;
constexpr std::chrono::milliseconds kShortPause{2};

// Whether this command may use the cursor: namespace, session and transaction must be those it was
// opened in.
Status check_owner(const Operation& operation, const ClientCursor& cursor, std::string_view ns) {
  if (cursor.ns != ns) {
    return mongo_error(code::kUnauthorized, "Requested getMore on namespace '" + std::string(ns) +
                                                "', but cursor belongs to a different namespace " +
                                                cursor.ns);
  }
  const SessionRequest& session = operation.session_request;
  const std::string id = std::to_string(cursor.id);
  if (cursor.owner != owner_of(operation)) {
    return mongo_error(code::kUnauthorized,
                       "cursor id " + id + " was not created by the authenticated user");
  }
  if (cursor.session.empty() && !session.id.empty()) {
    return mongo_error(50736, "Cannot run getMore on cursor " + id +
                                  ", which was not created in a session, in session");
  }
  if (!cursor.session.empty() && session.id.empty()) {
    return mongo_error(50737, "Cannot run getMore on cursor " + id +
                                  ", which was created in session, without an lsid");
  }
  if (cursor.session != session.id) {
    return mongo_error(
        50738, "Cannot run getMore on cursor " + id + ", which was created in another session");
  }
  const auto number = session.in_transaction() ? session.txn_number : std::nullopt;
  if (!cursor.txn_number && number) {
    return mongo_error(50739, "Cannot run getMore on cursor " + id +
                                  ", which was not created in a transaction, in a transaction");
  }
  if (cursor.txn_number && !number) {
    return mongo_error(50740, "Cannot run getMore on cursor " + id +
                                  ", which was created in a transaction, without a txnNumber");
  }
  if (cursor.txn_number != number) {
    return mongo_error(
        50741, "Cannot run getMore on cursor " + id + ", which was created in another transaction");
  }
  return {};
}

// Gives a cursor back to the table, or removes it, at the end of a batch.
class CursorHold {
 public:
  CursorHold(CursorTable& table, std::shared_ptr<ClientCursor> cursor)
      : table_(table), cursor_(std::move(cursor)) {}
  CursorHold(const CursorHold&) = delete;
  CursorHold& operator=(const CursorHold&) = delete;
  ~CursorHold() {
    cursor_->stream->detach();
    if (is_over_) {
      table_.remove(cursor_->id);
    } else {
      table_.give_back(cursor_);
    }
  }

  void end() { is_over_ = true; }

 private:
  CursorTable& table_;
  std::shared_ptr<ClientCursor> cursor_;
  bool is_over_ = false;
};

struct GetMore {
  std::int64_t id = 0;
  std::string ns;
  std::optional<std::int64_t> batch_size;
  bool has_max_time = false;
  std::chrono::milliseconds wait = kDefaultWait;  // for data, where the cursor does that
};

Result<GetMore> parse_get_more(const Operation& operation) {
  const Fields fields = operation.fields();
  if (operation.target().type() != bson::Type::kInt64) {
    return fields.wrong_type("getMore", "long");
  }
  GetMore request;
  request.id = operation.target().get_int64();
  RESTITCH_TRY(const std::string_view collection, fields.required_string("collection"));
  request.ns = operation.database + "." + std::string(collection);
  RESTITCH_TRY(request.batch_size, fields.non_negative("batchSize"));
  RESTITCH_TRY(const auto max_time, fields.non_negative("maxTimeMS"));
  request.has_max_time = max_time.has_value();
  if (max_time && *max_time > 0) request.wait = std::chrono::milliseconds(*max_time);
  return request;
}

bool is_dropped(Operation& operation, const ClientCursor& cursor) {
  if (cursor.collection == 0) return false;
  const auto collection = operation.catalog_view().find(cursor.ns);
  return !collection || !*collection || (*collection)->ident != cursor.collection;
}

// Reads one batch and makes the reply.
struct BatchRun {
  Operation& operation;
  const GetMore& request;
  ClientCursor& cursor;
  CursorHold& hold;
  Deadline until = kNoDeadline;  // of looking through a tailable stream
  bool is_last = true;           // an empty batch is given out
  bool is_idle = false;          // the batch is empty, the cursor open, and the caller may wait

  Result<Document> read(storage::ReadTier tier);
};

Result<Document> BatchRun::read(storage::ReadTier tier) {
  operation.tier = tier;
  operation.budget.left = kInlineWork;
  operation.refresh_snapshot();
  is_idle = false;
  if (is_dropped(operation, cursor)) {
    hold.end();
    return mongo_error(code::kQueryPlanKilled, "collection dropped between getMore calls");
  }
  if (cursor.snapshot) operation.pin(cursor.snapshot);
  attach_stream(operation, *cursor.stream);
  cursor.stream->set_deadline(cursor.stream->is_tailable() ? until : operation.deadline);
  BatchOptions options;
  options.summary = &operation.summary;
  if (request.batch_size && *request.batch_size > 0) options.batch_size = request.batch_size;
  Builder reply;
  reply.open_object("cursor");
  reply.open_array("nextBatch");
  auto batch = read_batch(reply, cursor, options);
  if (!batch) {
    const bool can_go_on =
        cursor.stream->is_tailable() && batch.error().code() == ErrorCode::kWouldBlock;
    if (can_go_on) return std::move(batch).error();
    hold.end();
    return with_prefix(std::move(batch).error(), kGetMorePrefix);
  }
  if (batch->is_exhausted) hold.end();
  is_idle = !is_last && batch->count == 0 && !batch->is_exhausted;
  if (is_idle) return Document();
  reply.close();
  cursor.stream->append_cursor_fields(reply, !cursor.pending);
  reply.append("id", batch->is_exhausted ? std::int64_t{0} : request.id);
  reply.append("ns", cursor.ns);
  if (cursor.snapshot) reply.append("atClusterTime", cursor.snapshot->cluster_time());
  reply.close();
  return std::move(reply).finish();
}

// One's own cursors; those of others need the right to kill them.
Status check_may_kill(const Operation& operation, std::int64_t id) {
  const auto owner = operation.services.cursors.owner_of(id);
  if (!owner || *owner == owner_of(operation)) return {};
  if (may(operation, Action::kKillAnyCursor, Target::cluster())) return {};
  return mongo_error(code::kUnauthorized, "not authorized on " + operation.database +
                                              " to kill cursor " + std::to_string(id));
}

}  // namespace

asio::awaitable<Result<Document>> run_get_more(Operation& operation) {
  RESTITCH_CO_TRY(GetMore request, parse_get_more(operation));
  ++operation.services.get_mores;
  RESTITCH_CO_TRY(auto cursor, operation.services.cursors.take(request.id));
  CursorHold hold(operation.services.cursors, cursor);
  RESTITCH_CO_CHECK(check_owner(operation, *cursor, request.ns));
  operation.is_change_stream = cursor->is_change_stream;
  if (const auto failure = operation.services.fail_points.meet_get_more()) {
    if (failure->closes_connection && operation.caller) operation.caller->has_to_close = true;
    if (failure->error_code) {
      hold.end();
      co_return mongo_error(*failure->error_code,
                            "Hit failGetMoreAfterCursorCheckout, throwing exception");
    }
  }
  if (request.has_max_time && !cursor->wakeup) {
    co_return mongo_error(code::kBadValue,
                          "cannot set maxTimeMS on getMore command for a non-awaitData cursor");
  }
  BatchRun run{operation, request, *cursor, hold};
  BatchRun* borrowed = &run;
  const auto on_pool = [borrowed]() { return borrowed->read(storage::ReadTier::kAll); };
  if (!cursor->stream->is_tailable()) {
    ++operation.services.pooled_reads;
    auto reply = co_await operation.services.pool->run(on_pool);
    co_return reply;
  }
  const Deadline until =
      std::min(operation.deadline, std::chrono::steady_clock::now() + request.wait);
  bool has_to_catch_up = cursor->stream->is_behind();
  for (int attempt = 0;; ++attempt) {
    run.until = cursor->wakeup ? until : operation.deadline;
    run.is_last = !cursor->wakeup || std::chrono::steady_clock::now() >= until;
    Result<Document> reply = Error(ErrorCode::kWouldBlock, "the stream is behind");
    // What was acknowledged before this command came is in its first batch.
    if (!std::exchange(has_to_catch_up, false)) reply = run.read(storage::ReadTier::kCacheOnly);
    if (!reply && reply.error().code() == ErrorCode::kWouldBlock) {
      ++operation.services.pooled_reads;
      reply = co_await operation.services.pool->run(on_pool);
    }
    if (!reply || !run.is_idle) co_return reply;
    if (cursor->stream->subscribe(cursor->wakeup)) {
      operation.summary.slow_after = Deadline::max();  // waiting is no slowness
      // In slices: somebody may want the operation to end.
      co_await cursor->wakeup->wait(std::min(until, std::chrono::steady_clock::now() + kSlice));
      cursor->stream->unsubscribe(cursor->wakeup);
      attempt = 0;
    } else if (attempt >= kEagerAttempts) {
      // Whoever tells about news is not up to date yet.
      co_await cursor->wakeup->wait(
          std::min(until, std::chrono::steady_clock::now() + kShortPause));
    }
    const auto cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
      co_return Error(ErrorCode::kClosing, "the caller has gone");
    }
    if (const Status goes_on = operation.check_interrupt(); !goes_on) {
      co_return goes_on.error();
    }
    if (operation.services.is_draining.load()) {
      co_return mongo_error(code::kInterruptedAtShutdown, "interrupted at shutdown");
    }
    if (operation.services.cursors.is_killed(*cursor) && !is_dropped(operation, *cursor)) {
      co_return mongo_error(code::kCursorKilled,
                            "operation was interrupted because its cursor was killed");
    }
  }
}

Result<Document> run_kill_cursors(Operation& operation) {
  // Cursors of commands without a collection are named like "$cmd.listCollections": any name does.
  if (!operation.target().as_string()) RESTITCH_CHECK(operation.collection_name());
  RESTITCH_TRY(const View ids, operation.fields().required_array("cursors"));
  std::vector<std::int64_t> killed, missing;
  for (const bson::Element& element : ids) {
    if (element.value.type() != bson::Type::kInt64) {
      return Fields(ids, "killCursors.cursors").wrong_type(element.name, "long");
    }
    const std::int64_t id = element.value.get_int64();
    RESTITCH_CHECK(check_may_kill(operation, id));
    (operation.services.cursors.kill(id) ? killed : missing).push_back(id);
  }
  Builder reply;
  const auto list = [&](const char* field, const std::vector<std::int64_t>& values) {
    reply.open_array(field);
    for (const std::int64_t value : values) reply.push(value);
    reply.close();
  };
  list("cursorsKilled", killed);
  list("cursorsNotFound", missing);
  list("cursorsAlive", {});
  list("cursorsUnknown", {});
  return std::move(reply).finish();
}

}  // namespace restitch::datasource::embedded
