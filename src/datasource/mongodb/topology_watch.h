#pragma once

#include <atomic>
#include <string>

#include "datasource/mongodb/driver.h"

namespace restitch::datasource::mongodb {

// What is known about a deployment from its servers' answers to `hello`; kept by the library's
// monitoring threads. Writes a log line when the deployment goes and when it comes back. Must
// outlive the pool that it watches.
class TopologyWatch {
 public:
  explicit TopologyWatch(std::string name) : name_(std::move(name)) {}
  TopologyWatch(const TopologyWatch&) = delete;
  TopologyWatch& operator=(const TopologyWatch&) = delete;

  void attach(mongoc_client_pool_t* pool);

  // Whether a server that takes writes is known.
  bool is_reachable() const { return is_reachable_.load(std::memory_order_relaxed); }
  // Whether the newest answer came from a replica set or a sharded cluster with transactions. Keeps
  // its value while the deployment is away.
  bool has_transactions() const { return has_transactions_.load(std::memory_order_relaxed); }

 private:
  void see_server(const mongoc_server_description_t* server);
  void see_topology(mongoc_topology_description_t* topology);

  std::string name_;
  std::atomic<bool> is_reachable_{false};
  std::atomic<bool> has_transactions_{false};
};

}  // namespace restitch::datasource::mongodb
