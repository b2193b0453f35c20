#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "deployment/deployed_app.h"
#include "runtime/task.h"

namespace restitch::deployment {

// A file log_forwarders/<name>.json that is not disabled (spec: app-config §14).
struct LogForwarderConfig {
  bson::ObjectId id;
  std::string name;
  std::set<std::string> types;  // auth, endpoint, function, …
  bool forwards_errors = false, forwards_successes = false;
  bool is_batch = false;
  std::string function;  // "" = into a collection
  std::string data_source, database, collection;
  std::string fingerprint;  // another one: it begins anew
};

// What the snapshot's configuration asks for.
std::vector<LogForwarderConfig> log_forwarders_of(const DeployedApp& app);

// The configuration's name of an entry's type; "" for what is never forwarded, the entries of
// forwarders themselves first of all.
std::string_view forwarded_type(std::string_view entry_type);

using LogEntry = std::shared_ptr<const bson::Document>;

// Sends the entries that it is offered, behind the requests: alone, or up to 100 at once and at the
// latest after a minute. A delivery that fails is tried again; after several failures in a row the
// forwarder is suspended and forwards nothing until resume(). Bounded: what comes when too many wait
// is dropped and counted. Thread-safe.
class LogForwarder : public std::enable_shared_from_this<LogForwarder> {
 public:
  // Tells the app's log of a failure; `fields` are the entry's further members.
  using Report = std::function<void(const DeployedApp& app, const bson::Document& fields)>;

  LogForwarder(asio::any_io_executor executor, LogForwarderConfig config, DeployedAppPtr app,
               Report report);

  const LogForwarderConfig& config() const { return config_; }
  // Of the same configuration; from now on functions and data sources are its.
  void use(DeployedAppPtr app);
  void offer(std::string_view type, bool has_failed, const LogEntry& entry);
  bool is_suspended() const;
  void resume();
  // Takes nothing more and delivers at once what waits.
  void close();
  // After close(): whether everything is over.
  bool is_over() const;

 private:
  static asio::awaitable<void> run(std::shared_ptr<LogForwarder> self);
  asio::awaitable<void> wait_for_batch();
  std::vector<LogEntry> take();
  bool is_due() const;
  bool may_try_again() const;
  void wake();
  void end();
  asio::awaitable<void> deliver(std::vector<LogEntry> entries);
  Task<void> send(DeployedAppPtr app, const std::vector<LogEntry>& entries,
                  const std::string& request_id) const;
  Task<void> store(const DeployedApp& app, const std::vector<LogEntry>& entries) const;
  Task<void> call(const DeployedApp& app, const std::vector<LogEntry>& entries,
                  const std::string& request_id) const;
  void note_failure(const DeployedApp& app, const std::vector<LogEntry>& entries,
                    const std::string& request_id, const Error& error);

  const asio::any_io_executor executor_;
  const LogForwarderConfig config_;
  const Report report_;
  asio::steady_timer timer_;  // on the executor only

  mutable std::mutex mutex_;
  DeployedAppPtr app_;
  std::deque<LogEntry> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool is_running_ = false, is_closing_ = false, is_suspended_ = false;
  int failures_ = 0;  // in a row
};

using LogForwarderPtr = std::shared_ptr<LogForwarder>;

}  // namespace restitch::deployment
