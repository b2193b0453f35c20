#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>

#include "net/http_server.h"
#include "runtime/task.h"

namespace restitch::net {

// What all connections of a server share. Immutable while it serves.
struct HttpService {
  HttpServerOptions options;
  HttpHandler handler;
  HttpHandler on_oversized_body;
};

// One accepted connection. Lives on one thread; every member is called there.
class HttpConnection {
 public:
  static std::shared_ptr<HttpConnection> create(boost::asio::ip::tcp::socket socket,
                                                const HttpService& service);
  virtual ~HttpConnection() = default;

  // Serves until the peer or the server ends the connection.
  virtual asio::awaitable<void> serve() = 0;
  // Closes when idle; else after the answer in the making.
  virtual void drain() = 0;
  virtual void abort() = 0;
  // Closes when what it waits for is overdue. Called about once a second: cheaper than a timer for
  // each wait.
  virtual void enforce_deadline(std::chrono::steady_clock::time_point now) = 0;
};

}  // namespace restitch::net
