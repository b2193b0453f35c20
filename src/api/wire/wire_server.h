#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "auth/auth_service.h"
#include "base/result.h"
#include "datasource/embedded/cluster.h"
#include "deployment/app_registry.h"
#include "net/byte_stream.h"
#include "runtime/blocking_pool.h"
#include "runtime/io_threads.h"

namespace restitch::api::wire {

struct WireServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 27017;  // 0 = any free one
  // host:port that clients are told to use. Empty: the address they have connected to when it is of
  // the loopback interface, else the machine's name.
  std::string advertised;
  // Whether commands need a user. Without it only loopback addresses may be listened on.
  bool must_authenticate = false;
  std::optional<net::TlsOptions> tls;
  // Whose users may sign in, on data sources with `wireProtocolEnabled`. Both or neither; they must
  // outlive the server.
  deployment::AppRegistry* apps = nullptr;
  auth::AuthService* auth = nullptr;

  std::size_t max_connections = 10000;
  std::chrono::seconds idle_timeout{3600};     // between two requests
  std::chrono::seconds transfer_timeout{60};   // for the rest of a request, and for an answer
  std::chrono::seconds handshake_timeout{10};  // of TLS
  // The longest message of a client that has yet to sign in.
  std::size_t max_message_before_sign_in = 1U << 20U;
  // Bytes of half-received and decompressed messages of all connections together. A connection
  // that would need more is closed.
  std::int64_t max_held_bytes = 1LL << 30U;
};

// The endpoint of the MongoDB wire protocol (spec: mongodb-engine §1, 2): mongosh and drivers work
// on the embedded cluster as on the primary of a one-node replica set. A connection stays on one
// thread. Memory of a connection: one request and one answer.
class WireServer {
 public:
  // `threads`, `cluster` and `pool` (for compression) must outlive the server. kInvalidArgument for
  // an address outside the loopback interface without authentication, and for unusable TLS files.
  static Result<std::unique_ptr<WireServer>> listen(WireServerOptions options,
                                                    runtime::IoThreads& threads,
                                                    datasource::embedded::Cluster& cluster,
                                                    runtime::BlockingPool& pool);
  virtual ~WireServer() = default;

  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
  // Accepts no more, tells waiting monitors, closes idle connections, lets commands in flight be
  // answered. Returns at once.
  virtual void drain() = 0;
  // After drain(): returns when all connections are gone; at the deadline they are aborted. Must
  // not be called from one of the threads.
  virtual void finish(std::chrono::steady_clock::time_point deadline) = 0;
};

}  // namespace restitch::api::wire
