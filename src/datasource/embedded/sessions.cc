#include "datasource/embedded/sessions.h"

#include <algorithm>

#include "datasource/embedded/change_log.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/fields.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

constexpr int kTransient[] = {24, 112, 239, 246, 250, 267, 272};
constexpr int kRetriable[] = {6,   7,    89,    91,    134,   189,   262,  358,
                              402, 9001, 10107, 11600, 11602, 13435, 13436};
// FailedToSatisfyReadPreference, StaleConfig, StaleDbVersion, StaleEpoch, RetryChangeStream.
constexpr int kAwaitedByStreams[] = {133, 13388, 63, 150, 234, 249};

template <std::size_t N>
bool contains(const int (&list)[N], int code) {
  return std::find(std::begin(list), std::end(list), code) != std::end(list);
}

Error invalid(std::string text) { return mongo_error(code::kInvalidOptions, std::move(text)); }

}  // namespace

Result<SessionRequest> SessionRequest::parse(View command, std::string_view owner) {
  SessionRequest request;
  const Fields fields(command, "OperationSessionInfo");
  if (fields.has("lsid")) {
    RESTITCH_TRY(const View lsid, fields.required_object("lsid"));
    const bson::ValueView id = lsid["id"];
    if (id.is_missing()) return Fields(lsid, "OperationSessionInfo.lsid").missing("id");
    if (id.type() != bson::Type::kBinary || id.get_binary().bytes.size() != kSessionIdBytes) {
      return Fields(lsid, "OperationSessionInfo.lsid").wrong_type("id", "binData");
    }
    request.id = session_key(id.get_binary().bytes, owner);
    request.lsid = Document(lsid);
  }
  const bson::ValueView number = fields["txnNumber"];
  if (!number.is_missing()) {
    if (number.type() != bson::Type::kInt64 && number.type() != bson::Type::kInt32) {
      return fields.wrong_type("txnNumber", "long");
    }
    request.txn_number = number.as_integer();
  }
  if (request.txn_number && request.id.empty()) {
    return invalid("Transaction number requires a session ID to also be specified");
  }
  if (request.txn_number && *request.txn_number < 0) {
    return invalid("Transaction number cannot be negative");
  }
  const bson::ValueView autocommit = fields["autocommit"];
  const bson::ValueView start = fields["startTransaction"];
  if (!autocommit.is_missing()) {
    if (!autocommit.as_bool()) return fields.wrong_type("autocommit", "bool");
    if (!request.txn_number) {
      return invalid("'autocommit' field requires a transaction number to also be specified");
    }
    if (*autocommit.as_bool()) return invalid("Specifying autocommit=true is not allowed.");
    request.has_autocommit = true;
  }
  if (!start.is_missing()) {
    if (!start.as_bool()) return fields.wrong_type("startTransaction", "bool");
    if (!request.has_autocommit) {
      return invalid("'startTransaction' field requires 'autocommit' field to also be specified");
    }
    if (!*start.as_bool()) {
      return invalid("Specifying startTransaction=false is not allowed.");
    }
    request.starts_transaction = true;
  }
  return request;
}

void Session::abort() {
  unit.reset();
  if (state == TransactionState::kInProgress) state = TransactionState::kAborted;
}

SessionTable::Guard& SessionTable::Guard::operator=(Guard&& other) noexcept {
  if (this != &other) {
    release();
    table_ = other.table_;
    session_ = std::move(other.session_);
  }
  return *this;
}

void SessionTable::Guard::release() {
  if (session_) table_->give_back(*session_);
  session_.reset();
}

void SessionTable::give_back(Session& session) {
  std::unique_ptr<WriteUnit> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  session.is_busy = false;
  note_use(session);
  if (!std::exchange(session.is_killed, false)) return;
  dropped = std::move(session.unit);
  session.abort();
}

void SessionTable::note_use(Session& session) {
  session.last_use = std::chrono::steady_clock::now();
  session.last_use_at = wall_clock();
}

Result<std::shared_ptr<Session>> SessionTable::find_or_make(const std::string& id) {
  auto found = sessions_.find(id);
  if (found == sessions_.end()) {
    if (sessions_.size() >= kMaxSessions) {
      return mongo_error(261, "cannot add session into the cache: too many sessions");
    }
    auto session = std::make_shared<Session>();
    session->id = id;
    found = sessions_.emplace(id, std::move(session)).first;
  }
  return found->second;
}

void SessionTable::touch(const std::string& id) {
  const std::lock_guard lock(mutex_);
  if (const auto session = find_or_make(id)) note_use(**session);
}

Result<SessionTable::Guard> SessionTable::take(const std::string& id) {
  const std::lock_guard lock(mutex_);
  RESTITCH_TRY(const std::shared_ptr<Session> session, find_or_make(id));
  if (session->is_busy) return Guard();
  session->is_busy = true;
  return Guard(this, session);
}

void SessionTable::kill(const SessionPicker& picks) {
  std::vector<std::unique_ptr<WriteUnit>> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  for (auto& [id, session] : sessions_) {
    if (!picks(id)) continue;
    if (session->is_busy) {
      session->is_killed = true;
      continue;
    }
    dropped.push_back(std::move(session->unit));
    session->abort();
  }
}

std::vector<SessionTable::Expired> SessionTable::expire(std::chrono::steady_clock::time_point now,
                                                        std::chrono::seconds transaction_lifetime) {
  std::vector<Expired> expired;
  const std::lock_guard lock(mutex_);
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    Session& session = *at->second;
    if (session.is_busy) {
      ++at;
      continue;
    }
    if (session.unit && now - session.started > transaction_lifetime) {
      expired.push_back({session.id, session.txn_number, std::move(session.unit)});
      session.abort();
    }
    const bool is_idle = !session.unit && now - session.last_use > kSessionIdleTime;
    at = is_idle ? sessions_.erase(at) : std::next(at);
  }
  return expired;
}

std::vector<std::string> SessionTable::overdue(std::chrono::steady_clock::time_point now,
                                               std::chrono::seconds transaction_lifetime) const {
  std::vector<std::string> ids;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, session] : sessions_) {
    if (!session->is_busy || session->state != TransactionState::kInProgress) continue;
    if (now - session->started > transaction_lifetime) ids.push_back(id);
  }
  return ids;
}

std::vector<IdleTransaction> SessionTable::idle_transactions() const {
  std::vector<IdleTransaction> idle;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, session] : sessions_) {
    if (session->is_busy || session->state != TransactionState::kInProgress) continue;
    idle.push_back({id, session->txn_number, session->started, session->started_at});
  }
  return idle;
}

std::vector<SessionTable::Listed> SessionTable::list() const {
  std::vector<Listed> listed;
  const std::lock_guard lock(mutex_);
  listed.reserve(sessions_.size());
  for (const auto& [id, session] : sessions_) listed.push_back({id, session->last_use_at});
  return listed;
}

std::size_t SessionTable::open_transactions() const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      sessions_.begin(), sessions_.end(),
      [](const auto& entry) { return entry.second->state == TransactionState::kInProgress; }));
}

std::size_t SessionTable::size() const {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

Document session_row(const Session& session) {
  Builder builder;
  builder.append("txnNumber", session.txn_number);
  builder.append("committed", session.state == TransactionState::kCommitted);
  builder.open_array("executed");
  for (const auto& [statement, result] : session.executed) {
    builder.push_object();
    builder.append("id", statement);
    builder.append("result", result);
    builder.close();
  }
  builder.close();
  return std::move(builder).finish();
}

void read_session_row(Session& session, View row) {
  session.txn_number = row["txnNumber"].as_integer().value_or(-1);
  session.state =
      row["committed"].truthy() ? TransactionState::kCommitted : TransactionState::kRetryableWrites;
  for (const bson::Element& element : row["executed"].as_array().value_or(View())) {
    const View entry = element.value.get_document();
    session.executed[static_cast<std::int32_t>(entry["id"].as_integer().value_or(0))] =
        Document(entry["result"].as_object().value_or(View()));
  }
}

bool is_resumable_change_stream_code(int code) {
  return contains(kRetriable, code) || contains(kAwaitedByStreams, code);
}

bool is_transient_transaction_code(int code) {
  return contains(kTransient, code) || contains(kRetriable, code) ||
         code == code::kNoSuchTransaction;
}

namespace {

// Whether a client may send the command once more. While the server runs, a command that fails with
// the code of a shutdown is no reason to; one that was done, and only not replicated, is.
bool is_retriable(int code, const LabelContext& context) {
  const bool is_of_shutdown =
      code == code::kShutdownInProgress || code == code::kInterruptedAtShutdown;
  return contains(kRetriable, code) && (!is_of_shutdown || context.is_shutting_down);
}

bool is_transient(int code, bool has_concern_error, const LabelContext& context) {
  if (!context.in_transaction) return false;
  if (!context.is_end_of_transaction) return is_transient_transaction_code(code);
  return contains(kTransient, code) || (code == code::kNoSuchTransaction && !has_concern_error);
}

}  // namespace

void append_error_labels(Builder& reply, int code, int concern_code, const LabelContext& context) {
  std::vector<std::string> labels;
  if (context.instead != nullptr) {
    labels = *context.instead;
  } else if ((context.is_retryable_write || context.is_end_of_transaction) &&
             (is_retriable(code, context) || contains(kRetriable, concern_code))) {
    labels.emplace_back("RetryableWriteError");
    if (code != 0 && !context.has_written) labels.emplace_back("NoWritesPerformed");
  } else if (is_transient(code, concern_code != 0, context)) {
    labels.emplace_back("TransientTransactionError");
  } else if (code == code::kChangeStreamFatal || code == code::kHistoryLost) {
    labels.emplace_back("NonResumableChangeStreamError");
  } else if (context.is_change_stream && is_resumable_change_stream_code(code)) {
    labels.emplace_back("ResumableChangeStreamError");
  }
  if (labels.empty()) return;
  reply.open_array("errorLabels");
  for (const std::string& label : labels) reply.push(label);
  reply.close();
}

}  // namespace restitch::datasource::embedded
