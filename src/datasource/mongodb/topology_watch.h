#pragma once

#include <atomic>
#include <cstdint>
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
  // Whether the newest answer came from a replica set or a sharded cluster with transactions, and
  // no trial has refuted it. Keeps its value while the deployment is away.
  bool has_transactions() const {
    return offers_transactions_.load(std::memory_order_relaxed) &&
           proof_.load(std::memory_order_relaxed) != Proof::kRefuted;
  }
  // Whether a trial has confirmed it since the deployment was reached.
  bool has_proven_transactions() const {
    return proof_.load(std::memory_order_relaxed) == Proof::kProven;
  }
  void note_transactions(bool are_there);

 private:
  enum class Proof : std::uint8_t { kNone, kProven, kRefuted };

  void see_server(const mongoc_server_description_t* server);
  void see_topology(mongoc_topology_description_t* topology);

  std::string name_;
  std::atomic<bool> is_reachable_{false};
  std::atomic<bool> offers_transactions_{false};
  std::atomic<Proof> proof_{Proof::kNone};
};

}  // namespace restitch::datasource::mongodb
