#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/io_threads.h"
#include "runtime/task.h"

namespace restitch::net {

// One accepted connection. Lives on one thread; every member is called there.
class Connection {
 public:
  virtual ~Connection() = default;

  // Serves until the peer or the server ends the connection.
  virtual asio::awaitable<void> serve() = 0;
  // Closes when idle; else after the answer in the making.
  virtual void drain() = 0;
  virtual void abort() = 0;
  // Closes when what it waits for is overdue. Called about once a second: cheaper than a timer for
  // each wait.
  virtual void enforce_deadline(std::chrono::steady_clock::time_point now) = 0;
};

struct ListenerOptions {
  std::string host;        // an IP address
  std::uint16_t port = 0;  // 0 = any free one
  std::size_t max_connections = 10000;
  std::string name;     // for the log
  std::string refusal;  // what a connection above the limit is sent before it is closed
};

// `id` is above zero and grows; after 2^31 connections it begins anew.
using ConnectionFactory = std::function<std::shared_ptr<Connection>(
    boost::asio::ip::tcp::socket socket, std::int32_t id)>;

// Told on any thread about what happens to connections; must be quick.
struct ListenerEvents {
  std::function<void()> opened = [] {};
  std::function<void()> closed = [] {};
  std::function<void()> refused = [] {};
};

// Listens on one address, spreads connections over the threads, keeps their time limits, and ends
// them at a stop. A connection stays on one thread. Above the limit a connection is accepted,
// told so where the protocol can, and closed.
class Listener {
 public:
  // `threads` must outlive the listener, which must not be destroyed before finish().
  static Result<std::unique_ptr<Listener>> listen(ListenerOptions options,
                                                  runtime::IoThreads& threads,
                                                  ConnectionFactory factory,
                                                  ListenerEvents events = {});
  virtual ~Listener() = default;

  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
  // Accepts no more and drains every connection. Returns at once.
  virtual void drain() = 0;
  // After drain(): waits until all connections are gone; those that are left at the deadline are
  // aborted. Must not be called from one of the threads.
  virtual void finish(std::chrono::steady_clock::time_point deadline) = 0;
};

// "127.0.0.1:80", "[::1]:80".
std::string text_of(const boost::asio::ip::tcp::endpoint& endpoint);

}  // namespace restitch::net
