#include "api/wire/wire_server.h"

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>
#include <unordered_set>

#include "api/wire/wire_connection.h"
#include "base/log.h"
#include "runtime/metrics.h"

namespace restitch::api::wire {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

metrics::Gauge& open_connections() {
  static metrics::Gauge gauge("restitch_wire_connections",
                              "Open connections of the MongoDB wire protocol");
  return gauge;
}

Result<tcp::endpoint> loopback_endpoint(const WireServerOptions& options) {
  error_code error;
  const auto address = boost::asio::ip::make_address(options.host, error);
  if (error) {
    return Error(ErrorCode::kInvalidArgument, "not an IP address to listen on: " + options.host);
  }
  if (!address.is_loopback()) {
    return Error(ErrorCode::kInvalidArgument,
                 "the wire endpoint has no authentication and listens on loopback addresses only "
                 "(127.0.0.1 or [::1]), not on " +
                     options.host);
  }
  return tcp::endpoint(address, options.port);
}

// The connections of one thread. Touched on that thread only.
struct ThreadConnections {
  std::unordered_set<std::shared_ptr<WireConnection>> live;
};

class Server final : public WireServer {
 public:
  Server(WireServerOptions options, runtime::IoThreads& threads,
         datasource::embedded::Cluster& cluster)
      : service_{std::move(options), cluster, {}, {}},
        threads_(threads),
        acceptor_(threads.context(0)),
        accept_retry_(threads.context(0)),
        per_thread_(threads.size()) {}

  Status open() {
    RESTITCH_TRY(const tcp::endpoint endpoint, loopback_endpoint(service_.options));
    error_code error;
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
    RESTITCH_LOG(kInfo, kNetwork, 1201, "Wire endpoint ready", {"address", service_.options.host},
                 {"port", port_});
    return {};
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return open_.load(); }

  void stop(std::chrono::milliseconds grace) override {
    service_.topology.counter.fetch_add(1);
    boost::asio::post(threads_.context(0), [this] {
      error_code ignored;
      stopping_ = true;
      acceptor_.close(ignored);
      accept_retry_.cancel();
    });
    for_each_connection([](WireConnection& connection) { connection.drain(); });
    if (!wait_until_empty(grace)) {
      for_each_connection([](WireConnection& connection) { connection.abort(); });
      wait_until_empty(std::chrono::seconds(5));
    }
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
      auto [error, socket] = co_await acceptor_.async_accept(threads_.context(index), kTuple);
      if (error == boost::asio::error::operation_aborted || stopping_) co_return;
      if (error) {  // out of file descriptors and the like: try again soon
        RESTITCH_LOG(kWarning, kNetwork, 1202, "Cannot accept a wire connection",
                     {"error", error.message()});
        co_await pause();
        continue;
      }
      open_.fetch_add(1);
      open_connections().add(1);
      const std::int32_t id = next_id();
      boost::asio::post(threads_.context(index),
                        [this, index, id, accepted = std::move(socket)]() mutable {
                          start(index, std::move(accepted), id);
                        });
    }
  }

  // Above zero also after a very long time.
  std::int32_t next_id() {
    last_id_ = last_id_ == INT32_MAX ? 1 : last_id_ + 1;
    return last_id_;
  }

  asio::awaitable<void> pause() {
    accept_retry_.expires_after(std::chrono::milliseconds(50));
    co_await accept_retry_.async_wait(kTuple);
  }

  void start(std::size_t index, tcp::socket socket, std::int32_t id) {
    auto connection = WireConnection::create(std::move(socket), service_, id);
    per_thread_[index].live.insert(connection);
    if (draining_.load()) connection->drain();
    boost::asio::co_spawn(
        threads_.context(index), connection->serve(),
        [this, index, connection](std::exception_ptr) { forget(index, connection); });
  }

  void forget(std::size_t index, const std::shared_ptr<WireConnection>& connection) {
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

  WireService service_;
  runtime::IoThreads& threads_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_retry_;
  std::vector<ThreadConnections> per_thread_;
  std::uint16_t port_ = 0;
  std::int32_t last_id_ = 0;  // thread 0 only
  bool stopping_ = false;     // thread 0 only
  std::atomic<bool> draining_{false};
  std::atomic<std::size_t> open_{0};
  std::mutex mutex_;
  std::condition_variable emptied_;
};

}  // namespace

Result<std::unique_ptr<WireServer>> WireServer::listen(WireServerOptions options,
                                                       runtime::IoThreads& threads,
                                                       datasource::embedded::Cluster& cluster) {
  auto server = std::make_unique<Server>(std::move(options), threads, cluster);
  RESTITCH_CHECK(server->open());
  return std::unique_ptr<WireServer>(std::move(server));
}

}  // namespace restitch::api::wire
