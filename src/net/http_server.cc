#include "net/http_server.h"

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <condition_variable>
#include <mutex>
#include <unordered_set>

#include "base/log.h"
#include "net/http_connection.h"
#include "runtime/metrics.h"

namespace restitch::net {
namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

metrics::Gauge& open_connections() {
  static metrics::Gauge gauge("restitch_http_connections", "Open HTTP connections");
  return gauge;
}

// The connections of one thread. Touched on that thread only.
struct ThreadConnections {
  std::unordered_set<std::shared_ptr<HttpConnection>> live;
  std::unique_ptr<boost::asio::steady_timer> sweep;
  bool sweep_ended = false;
};

class Server final : public HttpServer {
 public:
  Server(HttpServerOptions options, runtime::IoThreads& threads, HttpHandler handler,
         HttpHandler on_oversized_body)
      : service_{std::move(options), std::move(handler), std::move(on_oversized_body)},
        threads_(threads),
        acceptor_(threads.context(0)),
        per_thread_(threads.size()) {}

  Status open() {
    error_code error;
    const auto address = boost::asio::ip::make_address(service_.options.host, error);
    if (error)
      return Error(ErrorCode::kInvalidArgument,
                   "not an IP address to listen on: " + service_.options.host);
    const tcp::endpoint endpoint(address, service_.options.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
    if (error) {
      return Error(ErrorCode::kIo, "cannot listen on " + service_.options.host + ":" +
                                       std::to_string(service_.options.port) + ": " +
                                       error.message());
    }
    port_ = acceptor_.local_endpoint(error).port();
    boost::asio::co_spawn(threads_.context(0), accept_loop(), [](std::exception_ptr) {});
    for (std::size_t index = 0; index < threads_.size(); ++index) {
      per_thread_[index].sweep =
          std::make_unique<boost::asio::steady_timer>(threads_.context(index));
      boost::asio::co_spawn(threads_.context(index), sweep_loop(index), [](std::exception_ptr) {});
    }
    return {};
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return open_.load(); }

  void stop(std::chrono::milliseconds grace) override {
    boost::asio::post(threads_.context(0), [this] {
      error_code ignored;
      stopping_ = true;
      acceptor_.close(ignored);
      accept_retry_.cancel();
    });
    for_each_connection([](HttpConnection& connection) { connection.drain(); });
    if (!wait_until_empty(grace)) {
      for_each_connection([](HttpConnection& connection) { connection.abort(); });
      wait_until_empty(std::chrono::seconds(5));
    }
    end_sweeps();
  }

 private:
  asio::awaitable<void> accept_loop() {
    std::size_t next = 0;
    while (!stopping_) {
      if (open_.load() >= service_.options.max_connections) {
        co_await pause();
        continue;
      }
      const std::size_t index = next++ % threads_.size();
      auto [error, socket] = co_await acceptor_.async_accept(
          threads_.context(index), boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error == boost::asio::error::operation_aborted || stopping_) co_return;
      if (error) {  // out of file descriptors and the like: try again soon
        RESTITCH_LOG(kWarning, kNetwork, 1110, "Cannot accept a connection",
                     {"error", error.message()});
        co_await pause();
        continue;
      }
      open_.fetch_add(1);
      open_connections().add(1);
      boost::asio::post(threads_.context(index),
                        [this, index, accepted = std::move(socket)]() mutable {
                          start(index, std::move(accepted));
                        });
    }
  }

  asio::awaitable<void> sweep_loop(std::size_t index) {
    boost::asio::steady_timer& timer = *per_thread_[index].sweep;
    while (!per_thread_[index].sweep_ended) {
      timer.expires_after(std::chrono::seconds(1));
      const auto [error] =
          co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
      if (error) co_return;
      const auto now = std::chrono::steady_clock::now();
      const auto live = per_thread_[index].live;
      for (const auto& connection : live) connection->enforce_deadline(now);
    }
  }

  void end_sweeps() {
    for (std::size_t index = 0; index < threads_.size(); ++index) {
      boost::asio::post(threads_.context(index), [this, index] {
        per_thread_[index].sweep_ended =
            true;  // a wait that has just expired is not cancelled any more
        per_thread_[index].sweep->cancel();
      });
    }
  }

  asio::awaitable<void> pause() {
    accept_retry_.expires_after(std::chrono::milliseconds(50));
    co_await accept_retry_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
  }

  void start(std::size_t index, tcp::socket socket) {
    auto connection = HttpConnection::create(std::move(socket), service_);
    per_thread_[index].live.insert(connection);
    if (draining_.load()) connection->drain();
    boost::asio::co_spawn(
        threads_.context(index), connection->serve(),
        [this, index, connection](std::exception_ptr) { forget(index, connection); });
  }

  void forget(std::size_t index, const std::shared_ptr<HttpConnection>& connection) {
    per_thread_[index].live.erase(connection);
    open_connections().add(-1);
    const std::lock_guard lock(mutex_);
    open_.fetch_sub(1);
    emptied_.notify_all();
  }

  template <typename F>
  void for_each_connection(F visit) {
    draining_.store(true);
    for (std::size_t index = 0; index < threads_.size(); ++index) {
      boost::asio::post(threads_.context(index), [this, index, visit] {
        const auto live = per_thread_[index].live;
        for (const auto& connection : live) visit(*connection);
      });
    }
  }

  bool wait_until_empty(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    return emptied_.wait_for(lock, limit, [this] { return open_.load() == 0; });
  }

  HttpService service_;
  runtime::IoThreads& threads_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_retry_{threads_.context(0)};
  std::vector<ThreadConnections> per_thread_;
  std::uint16_t port_ = 0;
  bool stopping_ = false;  // thread 0 only
  std::atomic<bool> draining_{false};
  std::atomic<std::size_t> open_{0};
  std::mutex mutex_;
  std::condition_variable emptied_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(HttpServerOptions options,
                                                       runtime::IoThreads& threads,
                                                       HttpHandler handler,
                                                       HttpHandler on_oversized_body) {
  auto server = std::make_unique<Server>(std::move(options), threads, std::move(handler),
                                         std::move(on_oversized_body));
  RESTITCH_CHECK(server->open());
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace restitch::net
