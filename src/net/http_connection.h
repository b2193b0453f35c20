#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <memory>

#include "net/http_server.h"
#include "net/listener.h"
#include "runtime/task.h"

namespace restitch::net {

// What all connections of a server share. Immutable while it serves.
struct HttpService {
  HttpServerOptions options;
  HttpHandler handler;
  HttpHandler on_oversized_body;
};

// A connection that serves HTTP/1.1. `service` must outlive it.
std::shared_ptr<Connection> make_http_connection(boost::asio::ip::tcp::socket socket,
                                                 const HttpService& service);

}  // namespace restitch::net
