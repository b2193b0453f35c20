#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasource/client.h"
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

struct LogTotals {
  std::int64_t entries = 0;
  double run_seconds = 0;
};

// Keeps log entries of apps in the state store (collection `logs`, 10 days; spec: functions §14.1).
// Writing never holds a request up: entries are stored behind it, and when too many wait the newest
// are dropped and counted.
class LogStore {
 public:
  LogStore(std::shared_ptr<datasource::DataSource> state, runtime::IoThreads& threads);

  Task<void> prepare();
  void add_function_call(const bson::ObjectId& app_id, const std::string& group_id,
                         const functions::CallLog& call);
  // An entry of another kind, as of now; `fields` are its further members.
  void add_entry(const bson::ObjectId& app_id, const std::string& group_id, std::string_view type,
                 const bson::Document& fields);
  Task<std::vector<bson::Document>> find(LogQuery query) const;
  Task<LogTotals> totals(LogQuery query) const;

  // Waits until what was added is stored.
  void drain();

 private:
  void store(bson::Document entry);

  std::shared_ptr<datasource::DataSource> state_;
  runtime::IoThreads& threads_;
  datasource::Collection logs_;
  std::atomic<std::size_t> pending_{0};
};

}  // namespace restitch::deployment
