#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/session_key.h"
#include "datasource/embedded/write_unit.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// The session fields of a command (spec: mongodb-engine §3.2).
struct SessionRequest {
  std::string id;  // see session_key.h; empty without a session
  bson::Document lsid;
  std::optional<std::int64_t> txn_number;
  bool has_autocommit = false;  // autocommit: false was given
  bool starts_transaction = false;

  bool in_transaction() const { return has_autocommit; }
  bool is_retryable_write() const { return txn_number && !has_autocommit; }
  // Field checks in MongoDB's order: 72, 14.
  static Result<SessionRequest> parse(bson::View command, std::string_view owner);
};

enum class TransactionState : std::uint8_t {
  kNone,
  kInProgress,
  kCommitted,
  kAborted,
  kRetryableWrites
};

// What a session remembers. Used by the one command that holds it (see SessionTable::Guard).
struct Session {
  std::string id;
  std::int64_t txn_number = -1;
  std::atomic<TransactionState> state{TransactionState::kNone};
  std::unique_ptr<WriteUnit> unit;                // kInProgress
  std::chrono::steady_clock::time_point started;  // kInProgress
  bson::Date started_at;                          // kInProgress
  std::chrono::steady_clock::time_point last_use;
  bson::Date last_use_at;
  std::uint64_t write_version = 0;  // grows with every writing command of the transaction
  std::map<std::int32_t, bson::Document> executed;  // kRetryableWrites: statement id to result
  bool is_busy = false;                             // guarded by the table
  bool is_loaded = false;                           // the stored row has been read
  bool is_killed = false;  // guarded by the table: aborts when the command that holds it has ended

  void abort();
};

// An open transaction that no command works for at the moment.
struct IdleTransaction {
  std::string session;
  std::int64_t txn_number = 0;
  std::chrono::steady_clock::time_point started;
  bson::Date started_at;
};

// Transactions since the start.
struct TransactionCounters {
  std::atomic<std::uint64_t> started{0}, committed{0}, aborted{0};
  std::atomic<std::uint64_t> retried_commands{0}, retried_statements{0};
};

inline constexpr std::chrono::minutes kSessionIdleTime{30};
inline constexpr std::size_t kMaxSessions = 1'000'000;

// All sessions. Thread-safe.
class SessionTable {
 public:
  // Holds a session for one command. Released by its end.
  class Guard {
   public:
    Guard() = default;
    Guard(SessionTable* table, std::shared_ptr<Session> session)
        : table_(table), session_(std::move(session)) {}
    Guard(Guard&& other) noexcept : table_(other.table_), session_(std::move(other.session_)) {}
    Guard& operator=(Guard&& other) noexcept;
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { release(); }

    Session* operator->() const { return session_.get(); }
    Session* get() const { return session_.get(); }
    explicit operator bool() const { return session_ != nullptr; }
    void release();

   private:
    SessionTable* table_ = nullptr;
    std::shared_ptr<Session> session_;
  };

  // The session, made when it is new; an empty guard while another command holds it. Error 261.
  Result<Guard> take(const std::string& id);
  // Notes that a command has named the session.
  void touch(const std::string& id);
  // Aborts the transactions of the sessions that are picked by their key. Those in use are aborted
  // when their command has ended.
  void kill(const SessionPicker& picks);
  // Forgets idle sessions and ends transactions over their time limit. Their writes are handed out,
  // so that their cursors can be closed before they are dropped.
  struct Expired {
    std::string session;
    std::int64_t txn_number = 0;
    std::unique_ptr<WriteUnit> unit;
  };
  std::vector<Expired> expire(std::chrono::steady_clock::time_point now,
                              std::chrono::seconds transaction_lifetime);
  // Sessions whose transaction is over its time while a command works for it.
  std::vector<std::string> overdue(std::chrono::steady_clock::time_point now,
                                   std::chrono::seconds transaction_lifetime) const;
  std::vector<IdleTransaction> idle_transactions() const;
  struct Listed {
    std::string id;
    bson::Date last_use;
  };
  std::vector<Listed> list() const;
  std::size_t open_transactions() const;
  std::size_t size() const;

 private:
  void give_back(Session& session);
  // With the lock held.
  static void note_use(Session& session);
  Result<std::shared_ptr<Session>> find_or_make(const std::string& id);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<Session>> sessions_;
};

// Row of the session store: what retries need after a restart.
bson::Document session_row(const Session& session);
void read_session_row(Session& session, bson::View row);

// Error labels of a failed command (spec: mongodb-engine §3.3, 3.4).
struct LabelContext {
  bool in_transaction = false;
  bool is_end_of_transaction = false;  // commitTransaction, abortTransaction
  bool is_retryable_write = false;
  bool is_shutting_down = false;
  bool has_written = false;  // the command has stored something before it failed
  // Instead of the labels by the rules.
  const std::vector<std::string>* instead = nullptr;
  bool is_change_stream = false;  // aggregate or getMore of a change stream
};
// `code` is the command's error, `concern_code` that of its write concern; 0: none.
void append_error_labels(bson::Builder& reply, int code, int concern_code,
                         const LabelContext& context);
bool is_transient_transaction_code(int code);
bool is_resumable_change_stream_code(int code);

}  // namespace restitch::datasource::embedded
