#pragma once

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "api/wire/app_user.h"
#include "api/wire/wire_server.h"
#include "net/listener.h"

namespace restitch::api::wire {

// What all connections of an endpoint share.
struct WireService {
  WireServerOptions options;
  datasource::embedded::Cluster& cluster;
  runtime::BlockingPool& pool;
  std::shared_ptr<net::TlsContext> tls;      // null: plain
  std::unique_ptr<AppUserService> app_users;  // null: there are none
  std::atomic<std::uint64_t> heard_time{0};  // the latest cluster time a client has told
  std::atomic<std::int64_t> held_bytes{0};   // see WireServerOptions::max_held_bytes
};

// One accepted connection: commands are answered one after the other. What a client opened
// (cursors, sessions, transactions) outlives it. Drained while it waits for a topology change, it
// tells the client that the server stops. `service` must outlive it.
std::shared_ptr<net::Connection> make_wire_connection(boost::asio::ip::tcp::socket socket,
                                                      WireService& service, std::int32_t id);

}  // namespace restitch::api::wire
