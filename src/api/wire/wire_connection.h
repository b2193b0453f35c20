#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "api/wire/hello.h"
#include "api/wire/wire_server.h"
#include "runtime/task.h"

namespace restitch::api::wire {

// What all connections of an endpoint share.
struct WireService {
  WireServerOptions options;
  datasource::embedded::Cluster& cluster;
  Topology topology;
  std::atomic<std::uint64_t> heard_time{0};  // the latest cluster time a client has told
};

// One accepted connection: commands are answered one after the other. Lives on one thread; every
// member is called there. What a client opened (cursors, sessions, transactions) outlives it.
class WireConnection {
 public:
  static std::shared_ptr<WireConnection> create(boost::asio::ip::tcp::socket socket,
                                                WireService& service, std::int32_t id);
  virtual ~WireConnection() = default;

  // Serves until the peer or the server ends the connection.
  virtual asio::awaitable<void> serve() = 0;
  // Closes when idle; ends the waiting for a topology change; else closes after the answer in the
  // making.
  virtual void drain() = 0;
  virtual void abort() = 0;
};

}  // namespace restitch::api::wire
