#include "datasource/embedded/dispatcher.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstring>

#include "base/log.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commit.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/internal_command.h"
#include "datasource/embedded/pipeline_stream.h"
#include "datasource/embedded/request_options.h"
#include "datasource/embedded/schema_changes.h"
#include "datasource/embedded/users/access.h"
#include "datasource/embedded/users/authentication.h"
#include "datasource/embedded/write_command.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::View;

// Documents and keys a command may look at on its caller's thread: about a millisecond.
constexpr std::int64_t kInlineWork = 500;

bool is_would_block(const Error& error) { return error.code() == ErrorCode::kWouldBlock; }

asio::awaitable<void> pause_for(std::chrono::microseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

Error write_conflict() {
  return Error(ErrorCode::kWriteConflict, code::kWriteConflict,
               "Caused by :: Write conflict during plan execution and yielding is disabled. :: "
               "Please retry your operation or multi-document transaction.");
}

bool is_of_change_stream(const Operation& operation) {
  if (operation.is_change_stream) return true;
  if (operation.spec == nullptr) return false;
  if (operation.spec->name == "getMore") {
    const auto id = operation.target().as_integer();
    return id && operation.services.cursors.is_change_stream(*id);
  }
  if (operation.spec->name != "aggregate") return false;
  const auto stages = operation.command["pipeline"].as_array();
  return stages && first_stage(*stages) == "$changeStream";
}

LabelContext label_context(const Operation& operation) {
  LabelContext labels;
  labels.in_transaction = operation.in_transaction();
  labels.is_end_of_transaction = operation.spec != nullptr && operation.spec->has(kEndsTransaction);
  labels.is_retryable_write = operation.session_request.is_retryable_write();
  labels.is_change_stream = is_of_change_stream(operation);
  labels.is_shutting_down = operation.services.is_closing.load();
  labels.has_written = operation.has_committed;
  labels.instead = operation.labels ? &*operation.labels : nullptr;
  return labels;
}

// Adds `ok: 1` (and a write concern error) to a reply without copying it.
Document finished(const Operation& operation, Document reply) {
  const View concern = operation.write_concern_error;
  bson::Builder tail;
  if (!concern.empty()) {
    tail.append("writeConcernError", concern);
    const auto number = static_cast<int>(concern["code"].as_integer().value_or(0));
    append_error_labels(tail, 0, number, label_context(operation));
  }
  tail.append("ok", 1.0);
  const Document extra = std::move(tail).finish();
  std::string bytes = std::move(reply).into_bytes();
  bytes.pop_back();
  bytes.append(extra.bytes().substr(4));
  const auto size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data(), &size, sizeof size);
  return Document::from_bytes(std::move(bytes));
}

asio::awaitable<Result<Document>> run_read(Operation& operation) {
  if (!operation.spec->has(kOnPool)) {
    operation.tier = storage::ReadTier::kCacheOnly;
    operation.budget.left = kInlineWork;
    Result<Document> reply = operation.spec->read(operation);
    if (reply || !is_would_block(reply.error())) {
      ++operation.services.inline_reads;
      co_return reply;
    }
  }
  operation.tier = storage::ReadTier::kAll;
  operation.budget.left = INT64_MAX;
  operation.error_extra = Document();
  operation.refresh_snapshot();
  ++operation.services.pooled_reads;
  Operation* borrowed = &operation;
  const auto work = [borrowed]() { return borrowed->spec->read(*borrowed); };
  auto reply = co_await operation.services.pool->run(work);
  co_return reply;
}

// What the session remembers of this command was not stored: the stored row counts again, so that a
// retry runs the statements instead of taking them for done.
void forget_unstored(Operation& operation) {
  if (!operation.session) return;
  operation.session->is_loaded = false;
  operation.session->executed.clear();
  operation.session->txn_number = -1;
}

asio::awaitable<Status> commit_own_unit(Operation& operation) {
  std::unique_ptr<WriteUnit> unit = operation.take_own_unit();
  if (operation.injected_failure) {
    forget_unstored(operation);
    co_return *std::exchange(operation.injected_failure, std::nullopt);
  }
  operation.refresh_snapshot();
  if (!unit || !unit->has_writes()) co_return Status();
  auto committed =
      co_await commit_unit(*operation.services.engine, std::move(unit), operation.durability);
  if (committed) {
    operation.has_committed = true;
    co_return Status();
  }
  forget_unstored(operation);
  co_return std::move(committed).error();
}

asio::awaitable<Result<WriteCommand::Step>> take_step(Operation& operation, WriteCommand& command,
                                                      bool& on_pool) {
  if (!on_pool) {
    operation.tier = storage::ReadTier::kCacheOnly;
    operation.budget.left = kInlineWork;
    Result<WriteCommand::Step> step = command.step();
    if (step || !is_would_block(step.error())) co_return step;
    on_pool = true;
  }
  operation.tier = storage::ReadTier::kAll;
  operation.budget.left = INT64_MAX;
  WriteCommand* borrowed = &command;
  const auto work = [borrowed]() { return borrowed->step(); };
  auto step = co_await operation.services.pool->run(work);
  co_return step;
}

asio::awaitable<Result<Document>> run_write(Operation& operation) {
  using Step = WriteCommand::Step;
  RESTITCH_CO_TRY(std::unique_ptr<WriteCommand> command, operation.spec->write(operation));
  bool on_pool = command->is_large();
  int conflicts = 0;
  for (;;) {
    auto step = co_await take_step(operation, *command, on_pool);
    if (!step) {
      if (operation.has_own_writes()) forget_unstored(operation);
      co_return std::move(step).error();
    }
    if (*step == Step::kConflict && operation.in_transaction()) co_return write_conflict();
    if (*step != Step::kFinished) {
      if (Status goes_on = operation.check_interrupt(); !goes_on) {
        if (operation.has_own_writes()) forget_unstored(operation);
        co_return std::move(goes_on).error();
      }
    }
    if (!operation.in_transaction()) {
      RESTITCH_CO_CHECK(co_await commit_own_unit(operation));
    }
    switch (*step) {
      case Step::kFinished:
        co_return command->reply();
      case Step::kCommit:
        conflicts = 0;
        break;
      case Step::kConflict: {
        RESTITCH_CO_CHECK(operation.check_deadline());
        co_await pause_for(conflict_pause(conflicts++));
        break;
      }
      case Step::kCreateCollection: {
        Services* services = &operation.services;
        const Namespace* ns = &command->ns();
        if (operation.in_transaction()) {
          RESTITCH_CO_CHECK(create_in_transaction(*services, operation.unit(), *ns, View()));
          break;
        }
        const auto work = [services, ns]() { return ensure_collection(*services, *ns); };
        auto created = co_await services->schema_pool->run(work);
        if (created) break;
        if (created.error().code() != ErrorCode::kWriteConflict) {
          co_return std::move(created).error();
        }
        RESTITCH_CO_CHECK(operation.check_deadline());
        co_await pause_for(conflict_pause(conflicts++));
        break;
      }
    }
  }
}

// Waits until no other command holds the session.
asio::awaitable<Status> hold_session(Operation& operation) {
  for (int attempt = 0;; ++attempt) {
    auto taken = operation.services.sessions.take(operation.session_request.id);
    if (!taken) co_return std::move(taken).error();
    if (*taken) {
      operation.session = std::move(*taken);
      co_return Status();
    }
    RESTITCH_CO_CHECK(operation.check_deadline());
    co_await pause_for(conflict_pause(attempt));
  }
}

asio::awaitable<Result<Document>> run_entered(Operation& operation) {
  RESTITCH_CO_CHECK(read_execution_options(operation));
  Result<Document> reply = Document();
  if (operation.spec->read != nullptr) {
    reply = co_await run_read(operation);
  } else if (operation.spec->write != nullptr) {
    reply = co_await run_write(operation);
  } else {
    reply = co_await operation.spec->async(operation);
  }
  co_return reply;
}

std::uint64_t ticks_of(bson::Timestamp time) {
  return (std::uint64_t{time.seconds} << 32U) | time.increment;
}

// 72 for a time that nobody can have been told.
Status check_not_ahead(const Operation& operation, bson::Timestamp wanted, const char* name) {
  const std::uint64_t current = std::max(ticks_of(operation.services.engine->last_committed()),
                                         operation.services.heard_time.load());
  if (ticks_of(wanted) <= current) return {};
  return mongo_error(code::kInvalidOptions,
                     std::string("readConcern ") + name +
                         " value must not be greater than the current clusterTime. Requested "
                         "clusterTime: { ts: Timestamp(" +
                         std::to_string(wanted.seconds) + ", " + std::to_string(wanted.increment) +
                         ") }");
}

// Makes a state visible whose time is not before `wanted`: a write of nothing takes the clock
// there.
asio::awaitable<Status> reach(Operation& operation, bson::Timestamp wanted) {
  storage::Engine& engine = *operation.services.engine;
  if (engine.last_committed() >= wanted) co_return Status();
  engine.advance_cluster_time(wanted);
  auto unit = std::make_unique<WriteUnit>(engine.begin(storage::Transaction::Mode::kLatest));
  unit->transaction().put_catalog_row("mark", bson::make_document("at", wall_clock()));
  auto committed = co_await commit_unit(engine, std::move(unit), storage::Durability::kJournaled);
  if (!committed) co_return std::move(committed).error();
  co_return Status();
}

// Waits for and pins the state that the read concern asks for.
asio::awaitable<Status> apply_read_concern(Operation& operation) {
  const ReadConcern& concern = operation.read_concern;
  if (concern.after) {
    RESTITCH_CO_CHECK(check_not_ahead(operation, *concern.after, "afterClusterTime"));
    RESTITCH_CO_CHECK(co_await reach(operation, *concern.after));
  }
  if (!concern.is_snapshot || (operation.in_transaction() && !concern.at)) co_return Status();
  SnapshotHistory& history = operation.services.snapshots;
  storage::SnapshotPtr snapshot;
  if (concern.at) {
    RESTITCH_CO_CHECK(check_not_ahead(operation, *concern.at, "atClusterTime"));
    RESTITCH_CO_CHECK(co_await reach(operation, *concern.at));
    snapshot = history.find(*concern.at);
  }
  if (!snapshot) {
    snapshot = operation.services.engine->snapshot();
    if (concern.at && snapshot->cluster_time() != *concern.at) {
      co_return mongo_error(code::kSnapshotTooOld,
                            "Read timestamp Timestamp(" + std::to_string(concern.at->seconds) +
                                ", " + std::to_string(concern.at->increment) +
                                ") is older than the oldest available timestamp.");
    }
  }
  if (operation.in_transaction()) co_return Status();
  history.keep(snapshot);
  operation.pin(std::move(snapshot));
  co_return Status();
}

asio::awaitable<Result<Document>> run_operation(Operation& operation) {
  RESTITCH_CO_CHECK(read_generic_options(operation));
  if (operation.read_concern.after || operation.read_concern.is_snapshot) {
    RESTITCH_CO_CHECK(co_await apply_read_concern(operation));
  }
  if (!operation.session_request.txn_number && !operation.session_request.id.empty()) {
    operation.services.sessions.touch(operation.session_request.id);
  }
  if (operation.session_request.txn_number) {
    RESTITCH_CO_CHECK(co_await hold_session(operation));
    RESTITCH_CO_CHECK(enter_session(operation));
  }
  auto reply = co_await run_entered(operation);
  if (operation.in_transaction() && operation.session &&
      operation.session->state == TransactionState::kInProgress &&
      (!reply || operation.must_abort_transaction)) {
    operation.services.cursors.kill_of_transaction(operation.session->id,
                                                   operation.session->txn_number);
    operation.session->abort();
    ++operation.services.transactions.aborted;
  }
  co_return reply;
}

Document failure(const Operation& operation, const Error& error) {
  const LabelContext labels = label_context(operation);
  if (error.code() == ErrorCode::kWriteConflict && error.mongo_code() == 0) {
    return error_reply(write_conflict(), operation.error_extra, labels);
  }
  return error_reply(error, operation.error_extra, labels);
}

// Failures that are no reply of the command.
bool is_of_the_source(const Error& error) {
  return error.code() == ErrorCode::kTooManyRequests || error.code() == ErrorCode::kClosing ||
         error.code() == ErrorCode::kSourceUnavailable;
}

// Waits as a fail point asks; ends early when the cluster closes.
asio::awaitable<void> block(const Operation& operation, std::chrono::milliseconds time) {
  constexpr std::chrono::milliseconds kSlice{50};
  const auto end = std::chrono::steady_clock::now() + time;
  while (!operation.services.is_closing.load() && operation.check_interrupt()) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) co_return;
    co_await pause_for(std::min(left, kSlice));
  }
}

// What the fail point failCommand makes of this command before it runs.
asio::awaitable<Status> meet_fail_point(Operation& operation) {
  auto failure = operation.services.fail_points.meet_command(
      operation.database, operation.command, operation.spec->name, operation.spec->alias,
      operation.caller.get());
  if (!failure) co_return Status();
  if (failure->block_for.count() > 0) co_await block(operation, failure->block_for);
  RESTITCH_CO_CHECK(operation.check_interrupt());
  operation.labels = std::move(failure->labels);
  // For the labels of an injected error; what is wrong with these fields is told later.
  if (auto session = SessionRequest::parse(operation.command, session_owner_of(operation))) {
    operation.session_request = std::move(*session);
  }
  if (failure->closes_connection) {
    if (operation.caller) operation.caller->has_to_close = true;
    co_return Error(ErrorCode::kSourceUnavailable, "a fail point closed the connection");
  }
  if (failure->error_code) {
    // The cursor has not been looked at: the error is none of a change stream.
    const bool is_cursor = operation.spec->name == "getMore" && !operation.in_transaction();
    if (is_cursor && !operation.labels) operation.labels.emplace();
    operation.error_extra = std::move(failure->error_extra);
    co_return mongo_error(*failure->error_code, "Failing command via 'failCommand' failpoint");
  }
  operation.write_concern_error = std::move(failure->write_concern_error);
  co_return Status();
}

// Commands that took long leave a line in the log: how they were planned, never their values.
void log_if_slow(const Operation& operation, bool succeeded) {
  const auto now = std::chrono::steady_clock::now();
  if (now < operation.summary.slow_after || operation.spec->has(kNoSession)) return;
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(
                          now - operation.entry.started())
                          .count();
  const bson::Element first = *operation.command.view().begin();
  const auto collection = first.name == "getMore" ? operation.command["collection"].as_string()
                                                  : first.value.as_string();
  const ExecutionSummary& summary = operation.summary;
  RESTITCH_LOG(kInfo, kSource, 51803, "Slow query", {"opid", operation.entry.id()},
               {"command", operation.spec->name},
               {"ns", operation.database + "." + std::string(collection.value_or("$cmd"))},
               {"appName", operation.caller ? operation.caller->app_name : std::string()},
               {"planSummary", summary.plan}, {"keysExamined", summary.keys_examined},
               {"docsExamined", summary.documents_examined}, {"nreturned", summary.returned},
               {"ok", succeeded}, {"durationMillis", millis});
}

asio::awaitable<Result<Document>> run_admitted(Operation& operation, CommandRequest& request) {
  RESTITCH_CO_CHECK(co_await meet_fail_point(operation));
  if (has_stale_users(operation)) {
    RESTITCH_CO_CHECK(co_await refresh_users(operation));
  }
  RESTITCH_CO_CHECK(authorize(operation));
  if (request.wait) co_await request.wait();
  auto reply = co_await run_operation(operation);
  co_return reply;
}

// The first of those who have signed in on the connection.
UserPtr user_of(const Caller* caller) {
  if (caller == nullptr || !caller->authentication || caller->authentication->users.empty()) {
    return nullptr;
  }
  return caller->authentication->users.front();
}

}  // namespace

Task<Document> dispatch(Services& services, CommandRequest request) {
  if (services.is_closing.load()) {
    co_return Error(ErrorCode::kClosing, "the embedded cluster is closing");
  }
  Operation operation(services);
  operation.database = std::move(request.database);
  operation.command = std::move(request.command);
  operation.deadline = request.deadline;
  operation.caller = std::move(request.caller);
  operation.user = user_of(operation.caller.get());
  operation.may_write_system_collections = request.may_write_system_collections;
  const std::string_view name =
      operation.command.empty() ? std::string_view() : operation.command.view().begin()->name;
  operation.spec = find_command(name);
  if (operation.spec == nullptr ||
      (operation.spec->has(kForTests) && !services.fail_points.is_allowed())) {
    co_return failure(operation, mongo_error(code::kCommandNotFound,
                                             "no such command: '" + std::string(name) + "'"));
  }
  if (!operation.spec->is_counted_apart()) ++services.commands;
  services.operations.enter(operation.entry, operation);
  if (const std::int64_t slow = services.parameters.slow_millis.load(); slow >= 0) {
    operation.summary.slow_after = operation.entry.started() + std::chrono::milliseconds(slow);
  }
  auto reply = co_await run_admitted(operation, request);
  log_if_slow(operation, bool(reply));
  if (reply) co_return finished(operation, std::move(*reply));
  if (is_of_the_source(reply.error())) co_return std::move(reply).error();
  co_return failure(operation, reply.error());
}

}  // namespace restitch::datasource::embedded
