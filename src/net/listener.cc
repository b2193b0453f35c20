#include "net/listener.h"

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <mutex>
#include <unordered_set>

#include "base/log.h"

namespace restitch::net {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);
constexpr std::chrono::seconds kSweepTime{1};
constexpr std::chrono::seconds kAbortTime{5};
constexpr std::chrono::milliseconds kAcceptPause{50};  // after a failure to accept

// The connections of one thread. Touched on that thread only.
struct ThreadConnections {
  std::unordered_set<std::shared_ptr<Connection>> live;
  std::unique_ptr<boost::asio::steady_timer> sweep;
  bool sweep_ended = false;
};

class ListenerImpl final : public Listener {
 public:
  ListenerImpl(ListenerOptions options, runtime::IoThreads& threads, ConnectionFactory factory,
               ListenerEvents events)
      : options_(std::move(options)),
        factory_(std::move(factory)),
        events_(std::move(events)),
        threads_(threads),
        acceptor_(threads.context(0)),
        accept_retry_(threads.context(0)),
        per_thread_(threads.size()) {}

  Status open() {
    error_code error;
    const auto address = boost::asio::ip::make_address(options_.host, error);
    if (error) {
      return Error(ErrorCode::kInvalidArgument, "not an IP address to listen on: " + options_.host);
    }
    const tcp::endpoint endpoint(address, options_.port);
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
    if (error) {
      return Error(ErrorCode::kIo, "cannot listen on " + options_.host + ":" +
                                       std::to_string(options_.port) + ": " + error.message());
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

  void drain() override {
    if (draining_.exchange(true)) return;
    boost::asio::post(threads_.context(0), [this] {
      error_code ignored;
      stopping_ = true;
      acceptor_.close(ignored);
      accept_retry_.cancel();
    });
    for_each_connection([](Connection& connection) { connection.drain(); });
  }

  void finish(Clock::time_point deadline) override {
    if (!wait_until_empty(deadline)) {
      for_each_connection([](Connection& connection) { connection.abort(); });
      wait_until_empty(Clock::now() + kAbortTime);
    }
    end_sweeps();
  }

 private:
  asio::awaitable<void> accept_loop() {
    std::size_t next = 0;
    while (!stopping_) {
      const std::size_t index = next++ % threads_.size();
      auto [error, socket] = co_await acceptor_.async_accept(threads_.context(index), kTuple);
      if (error == boost::asio::error::operation_aborted || stopping_) co_return;
      if (error) {  // out of file descriptors and the like: try again soon
        RESTITCH_LOG(kWarning, kNetwork, 1110, "Cannot accept a connection",
                     {"listener", options_.name}, {"error", error.message()});
        accept_retry_.expires_after(kAcceptPause);
        co_await accept_retry_.async_wait(kTuple);
        continue;
      }
      if (open_.load() >= options_.max_connections) {
        refuse(std::move(socket));
        continue;
      }
      open_.fetch_add(1);
      events_.opened();
      const std::int32_t id = next_id();
      boost::asio::post(threads_.context(index),
                        [this, index, id, accepted = std::move(socket)]() mutable {
                          start(index, std::move(accepted), id);
                        });
    }
  }

  void refuse(tcp::socket socket) {
    events_.refused();
    ++refused_since_log_;
    if (const auto now = Clock::now(); now - refusal_logged_ > std::chrono::seconds(1)) {
      RESTITCH_LOG(kWarning, kNetwork, 1111, "Connections refused: there are too many",
                   {"listener", options_.name}, {"limit", options_.max_connections},
                   {"refused", refused_since_log_});
      refusal_logged_ = now;
      refused_since_log_ = 0;
    }
    error_code ignored;
    socket.non_blocking(true, ignored);
    if (!options_.refusal.empty()) {
      socket.write_some(boost::asio::buffer(options_.refusal), ignored);
    }
    socket.close(ignored);
  }

  // Above zero also after a very long time.
  std::int32_t next_id() {
    last_id_ = last_id_ == INT32_MAX ? 1 : last_id_ + 1;
    return last_id_;
  }

  asio::awaitable<void> sweep_loop(std::size_t index) {
    boost::asio::steady_timer& timer = *per_thread_[index].sweep;
    while (!per_thread_[index].sweep_ended) {
      timer.expires_after(kSweepTime);
      const auto [error] = co_await timer.async_wait(kTuple);
      if (error) co_return;
      const auto now = Clock::now();
      const auto live = per_thread_[index].live;
      for (const auto& connection : live) connection->enforce_deadline(now);
    }
  }

  void end_sweeps() {
    for (std::size_t index = 0; index < threads_.size(); ++index) {
      boost::asio::post(threads_.context(index), [this, index] {
        // A wait that has just expired is not cancelled any more.
        per_thread_[index].sweep_ended = true;
        per_thread_[index].sweep->cancel();
      });
    }
  }

  void start(std::size_t index, tcp::socket socket, std::int32_t id) {
    auto connection = factory_(std::move(socket), id);
    per_thread_[index].live.insert(connection);
    if (draining_.load()) connection->drain();
    boost::asio::co_spawn(
        threads_.context(index), connection->serve(),
        [this, index, connection](std::exception_ptr) { forget(index, connection); });
  }

  void forget(std::size_t index, const std::shared_ptr<Connection>& connection) {
    per_thread_[index].live.erase(connection);
    events_.closed();
    const std::lock_guard lock(mutex_);
    open_.fetch_sub(1);
    emptied_.notify_all();
  }

  template <typename F>
  void for_each_connection(F visit) {
    for (std::size_t index = 0; index < threads_.size(); ++index) {
      boost::asio::post(threads_.context(index), [this, index, visit] {
        const auto live = per_thread_[index].live;
        for (const auto& connection : live) visit(*connection);
      });
    }
  }

  bool wait_until_empty(Clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    return emptied_.wait_until(lock, deadline, [this] { return open_.load() == 0; });
  }

  ListenerOptions options_;
  ConnectionFactory factory_;
  ListenerEvents events_;
  runtime::IoThreads& threads_;
  tcp::acceptor acceptor_;
  boost::asio::steady_timer accept_retry_;
  std::vector<ThreadConnections> per_thread_;
  std::uint16_t port_ = 0;
  // Thread 0 only.
  std::int32_t last_id_ = 0;
  std::size_t refused_since_log_ = 0;
  Clock::time_point refusal_logged_;
  bool stopping_ = false;

  std::atomic<bool> draining_{false};
  std::atomic<std::size_t> open_{0};
  std::mutex mutex_;
  std::condition_variable emptied_;
};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::listen(ListenerOptions options,
                                                   runtime::IoThreads& threads,
                                                   ConnectionFactory factory,
                                                   ListenerEvents events) {
  auto listener = std::make_unique<ListenerImpl>(std::move(options), threads, std::move(factory),
                                                 std::move(events));
  RESTITCH_CHECK(listener->open());
  return std::unique_ptr<Listener>(std::move(listener));
}

std::string text_of(const tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  const std::string port = std::to_string(endpoint.port());
  return endpoint.address().is_v6() ? "[" + address + "]:" + port : address + ":" + port;
}

}  // namespace restitch::net
