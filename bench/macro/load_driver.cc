#include "bench/macro/load_driver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "bench/macro/http_framing.h"

namespace restitch::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSilenceLimit{30};
constexpr std::size_t kReceiveBytes = 64 * 1024;
constexpr std::size_t kFailureExcerptBytes = 300;

[[noreturn]] void fail_with_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Owns one file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {
    if (fd_ < 0) fail_with_errno("descriptor");
  }
  ~Descriptor() { ::close(fd_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }

 private:
  int fd_;
};

double process_cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double seconds_between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// One keep-alive connection with at most one request outstanding.
class Connection {
 public:
  Connection(const std::string& host, std::uint16_t port)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
      throw std::runtime_error("not an IPv4 address: " + host);
    }
    if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
        0) {
      fail_with_errno("connect");
    }
    const int on = 1;
    ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const int flags = ::fcntl(socket_.get(), F_GETFL);
    if (::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK) != 0) fail_with_errno("fcntl");
  }

  int fd() const { return socket_.get(); }
  const PreparedRequest& request() const { return *request_; }
  Clock::time_point sent_at() const { return sent_at_; }

  void send(const PreparedRequest& request, Clock::time_point now) {
    request_ = &request;
    sent_at_ = now;
    std::string_view rest = request.bytes;
    while (!rest.empty()) {
      const ssize_t sent = ::send(fd(), rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent >= 0) {
        rest.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        pollfd writable{fd(), POLLOUT, 0};
        ::poll(&writable, 1, -1);
      } else {
        fail_with_errno("send");
      }
    }
  }

  // Reads what has arrived; the answer stays valid until finish_answer().
  std::optional<FramedResponse> receive(std::array<char, kReceiveBytes>& scratch) {
    const ssize_t got = ::recv(fd(), scratch.data(), scratch.size(), 0);
    if (got < 0 && errno == EAGAIN) return std::nullopt;
    if (got < 0) fail_with_errno("recv");
    if (got == 0) throw std::runtime_error("the server closed a connection");
    received_.append(scratch.data(), static_cast<std::size_t>(got));
    return frame_response(received_);
  }

  void finish_answer(const FramedResponse& response) { received_.erase(0, response.total_bytes); }

 private:
  Descriptor socket_;
  std::string received_;
  const PreparedRequest* request_ = nullptr;
  Clock::time_point sent_at_;
};

class LoadDriver {
 public:
  LoadDriver(const LoadOptions& options, const std::vector<PreparedRequest>& requests)
      : requests_(requests), duration_(options.duration), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < options.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(options.host, options.port));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connections_.back()->fd(), &event) != 0) {
        fail_with_errno("epoll_ctl");
      }
    }
  }

  LoadResult run() {
    const double cpu_before = process_cpu_seconds();
    const Clock::time_point start = Clock::now();
    deadline_ = start + duration_;
    for (auto& connection : connections_) send_next(*connection, Clock::now());
    while (outstanding_ > 0) serve_ready_connections();
    result_.seconds = seconds_between(start, Clock::now());
    result_.driver_cpu_share = (process_cpu_seconds() - cpu_before) / result_.seconds;
    return std::move(result_);
  }

 private:
  void send_next(Connection& connection, Clock::time_point now) {
    connection.send(requests_[next_request_], now);
    if (++next_request_ == requests_.size()) next_request_ = 0;
    ++outstanding_;
  }

  void serve_ready_connections() {
    std::array<epoll_event, 256> events;
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(kSilenceLimit);
    const int ready = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(limit.count()));
    if (ready < 0 && errno != EINTR) fail_with_errno("epoll_wait");
    if (ready == 0) throw std::runtime_error("the server stopped answering");
    for (int i = 0; i < ready; ++i) {
      serve(*connections_[events[static_cast<std::size_t>(i)].data.u64]);
    }
  }

  void serve(Connection& connection) {
    const std::optional<FramedResponse> response = connection.receive(scratch_);
    if (!response) return;
    const Clock::time_point now = Clock::now();
    --outstanding_;
    result_.latencies.record(now - connection.sent_at());
    judge(connection.request(), *response);
    connection.finish_answer(*response);
    if (now < deadline_) send_next(connection, now);
  }

  void judge(const PreparedRequest& request, const FramedResponse& response) {
    const bool is_success = response.status >= 200 && response.status < 300;
    if (is_success && response.body.find(request.expect) != std::string_view::npos) return;
    if (++result_.failures > 1) return;
    result_.first_failure = "status " + std::to_string(response.status) + ": " +
                            std::string(response.body.substr(0, kFailureExcerptBytes));
  }

  const std::vector<PreparedRequest>& requests_;
  std::chrono::milliseconds duration_;
  Descriptor epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::array<char, kReceiveBytes> scratch_{};
  Clock::time_point deadline_;
  std::size_t next_request_ = 0;
  std::size_t outstanding_ = 0;
  LoadResult result_;
};

}  // namespace

boost::json::object LoadResult::to_json() const {
  return {
      {"requests", latencies.count()},
      {"failures", failures},
      {"first_failure", first_failure},
      {"seconds", seconds},
      {"per_second", static_cast<double>(latencies.count()) / seconds},
      {"latency_us", latencies.to_json()},
      {"driver_cpu_share", driver_cpu_share},
  };
}

LoadResult run_load(const LoadOptions& options, const std::vector<PreparedRequest>& requests) {
  return std::make_unique<LoadDriver>(options, requests)->run();
}

}  // namespace restitch::bench
