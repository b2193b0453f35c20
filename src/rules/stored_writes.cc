#include "rules/stored_writes.h"

#include <chrono>
#include <cstddef>
#include <utility>

#include "rules/commands.h"
#include "rules/document_update.h"

namespace restitch::rules {
namespace {

constexpr std::size_t kMostStatements = 1000;
constexpr std::size_t kMostBytes = 12U << 20U;
constexpr int kWriteConflictCode = 112;
constexpr int kMostLost = 5;  // trials of a write of a document that has not changed

Error conflict() {
  return Error(ErrorCode::kWriteConflict, kWriteConflictCode,
               "a document has been changed by another write");
}

// {_id: x[, $expr: {$eq: ["$$ROOT", {$literal: whole}]}]}
void append_guard(bson::Builder& builder, bson::View document, bool by_content) {
  builder.open_object("q");
  const bson::ValueView id = document["_id"];
  if (id.type() == bson::Type::kObject) {
    builder.open_object("_id").append("$eq", id).close();
  } else {
    builder.append("_id", id);
  }
  if (by_content) {
    builder.open_object("$expr").open_array("$eq");
    builder.push("$$ROOT");
    builder.push_object().append("$literal", document).close();
    builder.close().close();
  }
  builder.close();
}

// The post-image is written as it was decided upon, whatever the operators would give by now. It
// stays an update in the change stream where it can be said as one.
void append_change(bson::Builder& builder, const StoredWrite& write, bool by_content) {
  if (!write.replaces) {
    if (const auto update = update_between(write.before, write.after)) {
      builder.append("u", *update);
      return;
    }
  }
  // Sources without transactions may lack pipelines too.
  if (write.replaces || by_content) {
    builder.append("u", write.after);
    return;
  }
  builder.open_array("u").push_object();
  builder.open_object("$replaceWith").append("$literal", write.after).close();
  builder.close().close();
}

enum class Statement : std::uint8_t { kInsert, kUpdate, kDelete };

Statement statement_of(const StoredWrite& write) {
  if (write.before.empty()) return Statement::kInsert;
  return write.after.empty() ? Statement::kDelete : Statement::kUpdate;
}

void push_statement(bson::Builder& builder, const StoredWrite& write, bool by_content) {
  if (statement_of(write) == Statement::kInsert) {
    builder.push(write.after);
    return;
  }
  builder.push_object();
  append_guard(builder, write.before, by_content);
  if (statement_of(write) == Statement::kUpdate) {
    append_change(builder, write, by_content);
  } else {
    builder.append("limit", std::int32_t{1});
  }
  builder.close();
}

struct Batch {
  bson::Builder command;
  std::int64_t count = 0;
};

// As many writes of one kind as a command may hold, from `at` on, which is moved behind them.
Batch take_batch(const std::string& collection, const std::vector<StoredWrite>& writes,
                 std::size_t& at, bool by_content) {
  static constexpr const char* kCommands[] = {"insert", "update", "delete"};
  static constexpr const char* kLists[] = {"documents", "updates", "deletes"};
  const Statement statement = statement_of(writes[at]);
  const auto kind = static_cast<std::size_t>(statement);
  const std::size_t most = by_content ? 1 : kMostStatements;
  Batch batch;
  batch.command.append(kCommands[kind], collection).open_array(kLists[kind]);
  do {
    push_statement(batch.command, writes[at], by_content);
    ++batch.count;
    ++at;
  } while (at < writes.size() && statement_of(writes[at]) == statement &&
           static_cast<std::size_t>(batch.count) < most &&
           batch.command.size() + writes[at].after.bytes().size() < kMostBytes);
  batch.command.close();
  return batch;
}

// Whether the document still is as it was read.
Task<bool> is_unchanged(UserRequest& request, const StoredWrite& write) {
  if (write.before.empty()) co_return false;
  bson::Builder by_id;
  by_id.open_object("_id").append("$eq", write.before["_id"]).close();
  const bson::Document filter = std::move(by_id).finish();
  FindParts parts;
  parts.filter = filter;
  parts.limit = 1;
  bson::Builder command = find_command(request.operation.collection, parts, bson::View());
  RESTITCH_CO_TRY(const bson::Document reply,
                  co_await datasource::run_command(request.source, request.operation.database,
                                                   std::move(command), request.call));
  const auto cursor = reply["cursor"].as_object();
  const auto batch = cursor ? (*cursor)["firstBatch"].as_array() : std::nullopt;
  if (!batch || batch->empty()) co_return false;
  co_return batch->begin()->value.raw() == write.before.view().bytes();
}

Error not_possible(const UserRequest& request, std::string reason) {
  return Error(ErrorCode::kInvalidArgument,
               "a write that depends on the stored document is not possible on the data source '" +
                   request.operation.source + "'")
      .with_detail(std::move(reason));
}

// Whether the source does not know what the guard is made of; nothing was written then.
bool is_guard_unknown(const Error& error) {
  constexpr int kInvalidPipelineOperator = 168;
  constexpr int kNotImplemented = 238;
  return error.code() == ErrorCode::kMongo &&
         (error.mongo_code() == kInvalidPipelineOperator || error.mongo_code() == kNotImplemented);
}

// False when a write found its document changed. `done` counts the writes before the command that
// failed.
Task<bool> run(UserRequest& request, const std::vector<StoredWrite>& writes, bool by_content,
               std::size_t& done) {
  done = 0;
  int lost = 0;
  while (done < writes.size()) {
    std::size_t at = done;
    Batch batch = take_batch(request.operation.collection, writes, at, by_content);
    auto reply = co_await datasource::run_command(request.source, request.operation.database,
                                                  std::move(batch.command), request.call);
    if (!reply && by_content && is_guard_unknown(reply.error()))
      co_return not_possible(request, reply.error().message());
    if (!reply) co_return std::move(reply).error();
    if (reply->view()["n"].as_integer().value_or(0) == batch.count) {
      done = at;
      lost = 0;
      continue;
    }
    if (!by_content) co_return false;
    RESTITCH_CO_TRY(const bool is_same, co_await is_unchanged(request, writes[done]));
    if (!is_same) co_return false;
    // Changed and changed back since, or the source compares documents in its own way.
    if (++lost == kMostLost) co_return not_possible(request, "the source does not find it equal");
  }
  co_return true;
}

Task<void> undo(UserRequest& request, const std::vector<StoredWrite>& writes, std::size_t done) {
  std::vector<StoredWrite> backwards;
  for (std::size_t i = done; i-- > 0;) {
    backwards.push_back({writes[i].after, writes[i].before, true});
  }
  std::size_t undone = 0;
  RESTITCH_CO_CHECK(co_await run(request, backwards, true, undone));
  co_return Status();
}

}  // namespace

Task<void> carry_out(UserRequest& request, const std::vector<StoredWrite>& writes) {
  const bool by_content = request.call.transaction == nullptr;
  std::size_t done = 0;
  auto is_done = co_await run(request, writes, by_content, done);
  if (is_done && *is_done) co_return Status();
  if (by_content) {
    auto undone = co_await undo(request, writes, done);
    if (!undone) co_return std::move(undone).error();
  }
  if (!is_done) co_return std::move(is_done).error();
  co_return conflict();
}

Task<bson::Value> run_atomically(UserRequest& request, AtomicBody body) {
  if (request.call.transaction != nullptr) {
    auto result = co_await body(request);
    co_return result;
  }
  if (request.source.has_transactions()) {
    const auto in_transaction = [&request, &body](datasource::ClientTransaction& transaction) {
      request.call.transaction = &transaction;
      return body(request);
    };
    auto result = co_await datasource::with_transaction(request.source, in_transaction,
                                                        request.call.deadline);
    request.call.transaction = nullptr;
    // The source may have found only now that it has none.
    const bool has_none = !result && result.error().code() == ErrorCode::kUnsupported &&
                          !request.source.has_transactions();
    if (!has_none) co_return result;
  }
  const bool has_deadline = request.call.deadline != datasource::kNoDeadline;
  const datasource::Deadline until =
      has_deadline ? request.call.deadline
                   : std::chrono::steady_clock::now() + datasource::kTransactionRetryTime;
  for (int attempt = 1;; ++attempt) {
    auto result = co_await body(request);
    const bool has_lost = !result && result.error().code() == ErrorCode::kWriteConflict;
    if (!has_lost || std::chrono::steady_clock::now() >= until) co_return result;
    RESTITCH_CO_CHECK(co_await datasource::detail::wait_before_retry(attempt));
  }
}

}  // namespace restitch::rules
