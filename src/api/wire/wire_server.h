#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "datasource/embedded/cluster.h"
#include "runtime/io_threads.h"

namespace restitch::api::wire {

struct WireServerOptions {
  std::string host = "127.0.0.1";  // a loopback address: there is no authentication
  std::uint16_t port = 27017;      // 0 = any free one
  std::size_t max_connections = 10000;
  std::chrono::seconds idle_timeout{3600};    // between two requests
  std::chrono::seconds transfer_timeout{60};  // for the rest of a request, and for an answer
};

// The endpoint of the MongoDB wire protocol (spec: mongodb-engine §1, 2): mongosh and drivers work
// on the embedded cluster as on the primary of a one-node replica set. A connection stays on one
// thread. Memory of a connection: one request and one answer.
class WireServer {
 public:
  // `threads` and `cluster` must outlive the server. kInvalidArgument for an address that is not of
  // the loopback interface.
  static Result<std::unique_ptr<WireServer>> listen(WireServerOptions options,
                                                    runtime::IoThreads& threads,
                                                    datasource::embedded::Cluster& cluster);
  virtual ~WireServer() = default;

  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
  // Accepts no more, tells waiting monitors, closes idle connections, lets commands in flight be
  // answered, and returns when all connections are gone or the grace is over. Must not be called
  // from one of the threads.
  virtual void stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace restitch::api::wire
