#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bson/document.h"
#include "rules/context.h"
#include "rules/data_access.h"
#include "runtime/task.h"

namespace restitch::functions {

// What a worker (or its end) says about a call.
struct CallResult {
  bson::Value value = bson::Value::undefined();
  bson::Document response;
  std::vector<std::string> logs, error_logs;
  std::optional<Error> error;
};

// What a worker found in the sources of the app: (function name, text).
struct SourceRemarks {
  std::vector<std::pair<std::string, std::string>> syntax_errors, warnings;
};

// A transaction that the running function opened. At most one statement at a time uses it.
struct FunctionTransaction {
  rules::TransactionHandle handle;
  std::string source;
  bool is_busy = false;
};

// One call on its way through the pool. The members above `sessions_mutex` do not change while it
// runs.
struct Call {
  std::string name;   // for logs
  std::string frame;  // its `call` frame; the worker's number is put in when it is sent
  std::chrono::steady_clock::time_point deadline;
  asio::any_io_executor executor;  // of the caller: its data operations run there
  rules::User user;
  bson::Document request;  // RequestInfo::to_document()
  std::string request_id;
  // A rule of a running call waits for it: it is served before others and beyond the workers'
  // limits.
  bool is_nested = false;
  std::shared_ptr<const void> service;  // keeps the service alive

  // Ends the call. Set by the waiting side, taken by finish() once, on the pool's strand.
  std::function<void(CallResult)> complete;
  bool is_finished() const { return complete == nullptr; }
  void finish(CallResult result) {
    if (complete == nullptr) return;
    std::exchange(complete, nullptr)(std::move(result));
  }

  std::mutex sessions_mutex;
  std::map<std::int64_t, FunctionTransaction> sessions;
  std::map<std::string, std::shared_ptr<const rules::User>> users;  // of run_as_user_id
  bool has_ended = false;  // no transaction may be opened any more
};

using CallPointer = std::shared_ptr<Call>;

inline CallResult failed(Error error) {
  CallResult result;
  result.error = std::move(error);
  return result;
}

}  // namespace restitch::functions
