#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "deployment/log_forwarder.h"
#include "runtime/io_threads.h"

namespace restitch::deployment {

// The log forwarders of all running apps. Thread-safe.
class LogForwarding {
 public:
  LogForwarding(runtime::IoThreads& threads, LogForwarder::Report report);

  // Lets the app's forwarders be those of the snapshot. One whose configuration is the same goes
  // on; one that is gone delivers what waits and ends.
  void deploy(const DeployedAppPtr& app);
  void remove(const bson::ObjectId& app_id);
  // Gives the entry to those of the app that forward such ones. Cheap when there is none.
  void offer(const bson::ObjectId& app_id, const bson::Document& entry);
  bool is_suspended(const bson::ObjectId& app_id, const std::string& name) const;
  void resume(const bson::ObjectId& app_id, const std::string& name);
  // Delivers what waits and ends all, for at most so long.
  asio::awaitable<void> stop(std::chrono::milliseconds grace);

 private:
  using Forwarders = std::vector<LogForwarderPtr>;
  LogForwarderPtr find(const bson::ObjectId& app_id, const std::string& name) const;

  runtime::IoThreads& threads_;
  const LogForwarder::Report report_;
  mutable std::shared_mutex mutex_;
  std::map<bson::ObjectId, Forwarders> apps_;  // without those that have none
};

}  // namespace restitch::deployment
