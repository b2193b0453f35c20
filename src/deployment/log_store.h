#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasource/client.h"
#include "deployment/log_forwarding.h"
#include "deployment/log_queue.h"
#include "deployment/log_rate.h"
#include "functions/function_service.h"
#include "runtime/io_threads.h"

namespace restitch::deployment {

// Which entries of an app, newest first (spec: admin-api §15).
struct LogQuery {
  std::optional<bson::ObjectId> app;  // nothing: all apps
  std::string request, user;          // "" = any
  std::vector<std::string> types;     // none: all
  bool errors_only = false;
  std::optional<bson::Date> after, until;  // started later than; started then or before
  std::int64_t skip = 0, limit = 100;
};

// Types of entries that are counted together.
struct LogGroup {
  std::string name;
  std::vector<std::string> types;
};

// What the entries of a group that started in one period add up to.
struct LogUsage {
  std::string group;
  std::int64_t period = 0;  // its number: 0 begins with the time that was asked for
  std::int64_t succeeded = 0, failed = 0;  // those without an entry included
  double run_millis = 0;          // of all together
  double slow_run_millis = 0;     // 95 of 100 took no longer (approximately)
};

// Which calls of service actions by clients have an entry. Those that fail always have one.
enum class RequestLogs : std::uint8_t { kErrors, kWrites, kAll };

struct LogSettings {
  LogSettings() {}  // not an aggregate: g++ 12 and default arguments

  std::int64_t days = 10;  // how long entries are kept
  RequestLogs requests = RequestLogs::kWrites;
  // Entries a second for each app that only tell of a success; 0: all.
  std::int64_t rate = 200;
  // A failure's name as clients know it; empty: the server's own name.
  std::function<std::string(ErrorCode)> code_of;
};

// Keeps log entries of apps in the state store (collection `logs`; spec: functions §14.1). Writing
// never holds a request up: entries are stored behind it, and when too many wait the newest are
// dropped and counted. Where an app has more successes than the settings allow entries for, its next
// entry of the same type says how many were left out (`entries_left_out`).
class LogStore {
 public:
  LogStore(std::shared_ptr<datasource::DataSource> state, runtime::IoThreads& threads,
           LogSettings settings = LogSettings());

  Task<void> prepare();
  void add_function_call(const bson::ObjectId& app_id, const std::string& group_id,
                         const functions::CallLog& call);
  // An entry of another kind, of what ended now; `fields` are its further members.
  void add_entry(const bson::ObjectId& app_id, const std::string& group_id, std::string_view type,
                 const bson::Document& fields,
                 std::chrono::milliseconds run_time = std::chrono::milliseconds(0));
  // Whether a call by a client is to have an entry of this type. To be asked once for each.
  bool wants_request(const bson::ObjectId& app_id, std::string_view type, bool is_write,
                     bool has_failed);
  Task<std::vector<bson::Document>> find(LogQuery query) const;
  // The entries by group and period of `length` from `start` on; those of no group are left out, and
  // so is a period without entries.
  Task<std::vector<LogUsage>> usage(LogQuery query, std::vector<LogGroup> groups, bson::Date start,
                                    std::chrono::milliseconds length) const;

  // What the apps' log forwarders do with the entries.
  LogForwarding& forwarding() { return forwarding_; }

  // Waits until what was added is stored.
  void drain();

 private:
  void add(const bson::ObjectId& app_id, std::string_view type, bson::Builder entry);
  std::string code_of(ErrorCode code) const;

  std::shared_ptr<datasource::DataSource> state_;
  const LogSettings settings_;
  LogRate rate_;
  datasource::Collection logs_;
  std::shared_ptr<LogQueue> queue_;
  LogForwarding forwarding_;
};

}  // namespace restitch::deployment
