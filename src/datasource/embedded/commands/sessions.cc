#include <algorithm>

#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/commit.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr std::size_t kMaxEnded = 10'000;

Result<std::vector<std::string>> session_ids(const Operation& operation) {
  const auto list = operation.target().as_array();
  if (!list) {
    return operation.fields().wrong_type(operation.command.view().begin()->name, "array");
  }
  std::vector<std::string> ids;
  for (const bson::Element& element : *list) {
    const auto session = element.value.as_object();
    const bson::ValueView id = session ? (*session)["id"] : bson::ValueView();
    if (id.type() != bson::Type::kBinary) {
      return operation.fields().wrong_type(operation.command.view().begin()->name, "array");
    }
    ids.emplace_back(id.get_binary().bytes);
  }
  if (ids.size() > kMaxEnded) {
    return mongo_error(code::kBadValue, "too many sessions in one command");
  }
  return ids;
}

// Ends what runs in the sessions that are picked (all of them without `ids`), their cursors and
// transactions.
void kill(Operation& operation, const std::vector<std::string>* ids) {
  Services& services = operation.services;
  const auto picks = [ids](std::string_view id) {
    if (id.empty()) return false;
    return ids == nullptr || std::find(ids->begin(), ids->end(), id) != ids->end();
  };
  services.operations.interrupt_sessions(picks, code::kInterrupted, &operation.entry);
  if (ids == nullptr) {
    services.cursors.kill_of_sessions();
  } else {
    for (const std::string& id : *ids) services.cursors.kill_of_session(id);
  }
  services.sessions.kill(ids);
}

Result<Document> start_session(Operation& operation) {
  const std::string id = new_uuid();
  operation.services.sessions.touch(id);
  Builder reply;
  reply.open_object("id").append_binary("id", 4, id).close();
  reply.append("timeoutMinutes", std::int32_t{30});
  return std::move(reply).finish();
}

Result<Document> end_sessions(Operation& operation) {
  RESTITCH_TRY(const std::vector<std::string> ids, session_ids(operation));
  for (const std::string& id : ids) operation.services.cursors.kill_of_session(id);
  if (!ids.empty()) operation.services.sessions.kill(&ids);
  return Document();
}

Result<Document> kill_sessions(Operation& operation) {
  RESTITCH_TRY(const std::vector<std::string> ids, session_ids(operation));
  kill(operation, ids.empty() ? nullptr : &ids);
  return Document();
}

Result<Document> kill_all_sessions(Operation& operation) {
  if (!operation.target().as_array()) {
    return operation.fields().wrong_type("killAllSessions", "array");
  }
  kill(operation, nullptr);
  return Document();
}

// Patterns name a session, or users, who own all sessions here.
Result<Document> kill_sessions_by_pattern(Operation& operation) {
  const auto patterns = operation.target().as_array();
  if (!patterns) return operation.fields().wrong_type("killAllSessionsByPattern", "array");
  std::vector<std::string> ids;
  bool wants_all = patterns->empty();
  for (const bson::Element& element : *patterns) {
    const auto pattern = element.value.as_object();
    if (!pattern) return operation.fields().wrong_type("killAllSessionsByPattern", "array");
    const std::string_view id = session_id_of(*pattern);
    if (id.empty()) {
      wants_all = true;
    } else {
      ids.emplace_back(id);
    }
  }
  kill(operation, wants_all ? nullptr : &ids);
  return Document();
}

Result<Document> refresh_sessions(Operation& operation) {
  RESTITCH_TRY(const std::vector<std::string> ids, session_ids(operation));
  for (const std::string& id : ids) operation.services.sessions.touch(id);
  return Document();
}

Status check_ending(const Operation& operation) {
  if (!operation.in_transaction()) {
    return mongo_error(code::kCommandFailed,
                       std::string(operation.spec->name) + " must be run within a transaction");
  }
  return {};
}

asio::awaitable<Result<Document>> commit_transaction(Operation& operation) {
  RESTITCH_CO_CHECK(check_ending(operation));
  Session& session = *operation.session.get();
  if (session.state == TransactionState::kCommitted) co_return Document();
  operation.services.cursors.kill_of_transaction(session.id, session.txn_number);
  std::unique_ptr<WriteUnit> unit = std::move(session.unit);
  if (unit && unit->has_writes()) {
    session.state = TransactionState::kCommitted;
    session.executed.clear();
    unit->transaction().put_session_row(session.id, session_row(session));
    auto committed =
        co_await commit_unit(*operation.services.engine, std::move(unit), operation.durability);
    if (!committed) {
      session.state = TransactionState::kAborted;
      ++operation.services.transactions.aborted;
      co_return std::move(committed).error();
    }
  }
  session.state = TransactionState::kCommitted;
  ++operation.services.transactions.committed;
  co_return Document();
}

Result<Document> abort_transaction(Operation& operation) {
  RESTITCH_CHECK(check_ending(operation));
  Session& session = *operation.session.get();
  operation.services.cursors.kill_of_transaction(session.id, session.txn_number);
  session.abort();
  ++operation.services.transactions.aborted;
  return Document();
}

}  // namespace

std::span<const CommandSpec> session_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "startSession", .read = start_session},
      {.name = "endSessions", .read = end_sessions},
      {.name = "refreshSessions", .read = refresh_sessions},
      {.name = "killSessions", .read = kill_sessions},
      {.name = "killAllSessions", .read = kill_all_sessions},
      {.name = "killAllSessionsByPattern", .read = kill_sessions_by_pattern},
      {.name = "commitTransaction",
       .flags = kAdminOnly | kInTransaction | kEndsTransaction,
       .async = commit_transaction,
       .fields = "recoveryToken"},
      {.name = "abortTransaction",
       .flags = kAdminOnly | kInTransaction | kEndsTransaction,
       .read = abort_transaction,
       .fields = "recoveryToken"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
