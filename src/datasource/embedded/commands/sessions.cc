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

// The keys of the caller's own sessions that the command lists.
Result<std::vector<std::string>> own_sessions(const Operation& operation) {
  const auto list = operation.target().as_array();
  if (!list) {
    return operation.fields().wrong_type(operation.command.view().begin()->name, "array");
  }
  std::vector<std::string> keys;
  for (const bson::Element& element : *list) {
    const auto session = element.value.as_object();
    const bson::ValueView id = session ? (*session)["id"] : bson::ValueView();
    if (id.type() != bson::Type::kBinary) {
      return operation.fields().wrong_type(operation.command.view().begin()->name, "array");
    }
    keys.push_back(session_key(id.get_binary().bytes, session_owner_of(operation)));
  }
  if (keys.size() > kMaxEnded) {
    return mongo_error(code::kBadValue, "too many sessions in one command");
  }
  return keys;
}

bool is_one_of(std::string_view one, const std::vector<std::string>& list) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

// Ends the transactions and cursors of the sessions that are picked.
void end(Operation& operation, const SessionPicker& picks) {
  operation.services.cursors.kill_of_sessions(picks);
  operation.services.sessions.kill(picks);
}

// And what runs in them.
void kill(Operation& operation, const SessionPicker& picks) {
  operation.services.operations.interrupt_sessions(picks, code::kInterrupted, &operation.entry);
  end(operation, picks);
}

Result<Document> start_session(Operation& operation) {
  const std::string id = new_uuid();
  operation.services.sessions.touch(session_key(id, session_owner_of(operation)));
  Builder reply;
  reply.open_object("id").append_binary("id", 4, id).close();
  reply.append("timeoutMinutes", std::int32_t{30});
  return std::move(reply).finish();
}

Result<Document> end_sessions(Operation& operation) {
  RESTITCH_TRY(const std::vector<std::string> keys, own_sessions(operation));
  if (!keys.empty()) end(operation, [&](std::string_view key) { return is_one_of(key, keys); });
  return Document();
}

Result<Document> kill_sessions(Operation& operation) {
  RESTITCH_TRY(const std::vector<std::string> keys, own_sessions(operation));
  const std::string_view owner = session_owner_of(operation);
  kill(operation, [&](std::string_view key) {
    return keys.empty() ? owner_in(key) == owner : is_one_of(key, keys);
  });
  return Document();
}

// The owners that {user, db} documents name.
Result<std::vector<std::string>> owners_of(const Operation& operation, View users) {
  std::vector<std::string> owners;
  for (const bson::Element& element : users) {
    const View user = element.value.as_object().value_or(View());
    const auto name = user["user"].as_string();
    const auto database = user["db"].as_string();
    if (!name || !database) {
      return operation.fields().wrong_type(operation.command.view().begin()->name, "array");
    }
    owners.push_back(session_owner(std::string(*name) + "@" + std::string(*database)));
  }
  return owners;
}

Result<Document> kill_all_sessions(Operation& operation) {
  const auto users = operation.target().as_array();
  if (!users) return operation.fields().wrong_type("killAllSessions", "array");
  RESTITCH_TRY(const std::vector<std::string> owners, owners_of(operation, *users));
  kill(operation, [&](std::string_view key) {
    return owners.empty() || is_one_of(owner_in(key), owners);
  });
  return Document();
}

std::string_view binary(View pattern, const char* name) {
  const bson::ValueView value = pattern[name];
  return value.type() == bson::Type::kBinary ? value.get_binary().bytes : std::string_view();
}

// Whose sessions a pattern means: {lsid: {id, uid}}, {uid}, {users: [{user, db}]}; else all.
Result<SessionPicker> picker_of(const Operation& operation, View pattern) {
  if (const auto lsid = pattern["lsid"].as_object()) {
    const std::string_view uid = binary(*lsid, "uid");
    return SessionPicker([key = session_key(binary(*lsid, "id"),
                                            uid.empty() ? session_owner_of(operation) : uid)](
                             std::string_view one) { return one == key; });
  }
  if (const std::string_view uid = binary(pattern, "uid"); !uid.empty()) {
    return SessionPicker([uid](std::string_view key) { return owner_in(key) == uid; });
  }
  const View users = pattern["users"].as_array().value_or(View());
  RESTITCH_TRY(std::vector<std::string> owners, owners_of(operation, users));
  return SessionPicker([owners = std::move(owners)](std::string_view key) {
    return owners.empty() || is_one_of(owner_in(key), owners);
  });
}

Result<Document> kill_sessions_by_pattern(Operation& operation) {
  const auto patterns = operation.target().as_array();
  if (!patterns) return operation.fields().wrong_type("killAllSessionsByPattern", "array");
  std::vector<SessionPicker> pickers;
  for (const bson::Element& element : *patterns) {
    const auto pattern = element.value.as_object();
    if (!pattern) return operation.fields().wrong_type("killAllSessionsByPattern", "array");
    RESTITCH_TRY(SessionPicker picker, picker_of(operation, *pattern));
    pickers.push_back(std::move(picker));
  }
  kill(operation, [&](std::string_view key) {
    return pickers.empty() || std::any_of(pickers.begin(), pickers.end(),
                                          [&](const SessionPicker& one) { return one(key); });
  });
  return Document();
}

Result<Document> refresh_sessions(Operation& operation) {
  RESTITCH_TRY(const std::vector<std::string> keys, own_sessions(operation));
  for (const std::string& key : keys) operation.services.sessions.touch(key);
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
