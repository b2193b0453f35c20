#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "net/http.h"
#include "runtime/io_threads.h"

namespace restitch::net {

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 9090;                         // 0 = any free one
  std::size_t max_header_bytes = 64 * 1024;          // access tokens may carry custom user data
  std::size_t max_body_bytes = 18ULL * 1000 * 1000;  // documented request limit
  // The limit of a request whose body may be larger than that, by its head (body() is empty). May be
  // empty; asked for such requests only, on the connection's thread.
  std::function<std::size_t(const HttpRequest& head)> larger_body_limit;
  std::size_t max_connections = 20000;
  std::chrono::seconds idle_timeout{75};
  std::chrono::seconds request_timeout{60};  // from the first byte of a request to its last
};

// An HTTP/1.1 server with keep-alive and pipelining. A connection stays on one thread. What cannot
// be parsed is answered 400, an oversized header 431, an oversized body with `oversized_body` of
// the options' owner (413), and the connection is closed.
class HttpServer {
 public:
  // `threads` must outlive the server.
  static Result<std::unique_ptr<HttpServer>> listen(HttpServerOptions options,
                                                    runtime::IoThreads& threads,
                                                    HttpHandler handler,
                                                    HttpHandler on_oversized_body);
  virtual ~HttpServer() = default;

  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
  // Accepts no more, closes idle connections, lets requests in flight be answered. Returns at once.
  virtual void drain() = 0;
  // After drain(): returns when all connections are gone; at the deadline they are aborted. Must
  // not be called from one of the threads.
  virtual void finish(std::chrono::steady_clock::time_point deadline) = 0;
};

}  // namespace restitch::net
