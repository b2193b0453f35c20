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

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace restitch::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSilenceLimit{120};
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

// Numbers that no other request of any run has: a clock and a counter in one.
class UniqueNumbers {
 public:
  std::uint64_t next() { return ++last_; }

 private:
  std::uint64_t last_ = static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
};

void put_text(char* at, std::uint64_t number) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int digit = 15; digit >= 0; --digit, number >>= 4) at[digit] = kDigits[number & 0xf];
}

void put_stamp(char* at, Stamp::Kind kind, std::uint64_t number) {
  if (kind == Stamp::Kind::kText) return put_text(at, number);
  if (kind == Stamp::Kind::kKey) number = __builtin_bswap64(number);
  std::memcpy(at, &number, sizeof number);
}

// One keep-alive connection with at most one request outstanding.
class Connection {
 public:
  Connection(const LoadOptions& options, std::uint64_t number)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
        framing_(options.framing),
        number_(number) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    if (::inet_pton(AF_INET, options.host.c_str(), &address.sin_addr) != 1) {
      throw std::runtime_error("not an IPv4 address: " + options.host);
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

  void send(PreparedRequest& request, UniqueNumbers& numbers, Clock::time_point at) {
    stamp(request, numbers);
    request_ = &request;
    sent_at_ = at;
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
    return framing_(received_);
  }

  void finish_answer(const FramedResponse& response) { received_.erase(0, response.whole.size()); }

 private:
  void stamp(PreparedRequest& request, UniqueNumbers& numbers) const {
    for (const Stamp& stamp : request.stamps) {
      const bool is_connection = stamp.kind == Stamp::Kind::kConnection;
      put_stamp(request.bytes.data() + stamp.offset, stamp.kind,
                is_connection ? number_ : numbers.next());
    }
  }

  Descriptor socket_;
  Framing framing_;
  std::uint64_t number_;
  std::string received_;
  const PreparedRequest* request_ = nullptr;
  Clock::time_point sent_at_;
};

bool is_expected(const PreparedRequest& request, const FramedResponse& response) {
  return response.is_success && response.body.find(request.expect) != std::string_view::npos;
}

// The beginning of an answer, printable.
std::string excerpt(std::string_view answer) {
  std::string text(answer.substr(0, kFailureExcerptBytes));
  for (char& byte : text) {
    if (byte < ' ' || byte > '~') byte = '.';
  }
  return text;
}

class LoadDriver {
 public:
  LoadDriver(const LoadOptions& options, std::vector<PreparedRequest>& requests)
      : requests_(requests),
        duration_(options.duration),
        interval_(options.rate > 0 ? 1.0 / options.rate : 0),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
    for (std::size_t i = 0; i < options.connections; ++i) {
      connections_.push_back(std::make_unique<Connection>(options, numbers_.next()));
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.u64 = i;
      if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connections_.back()->fd(), &event) != 0) {
        fail_with_errno("epoll_ctl");
      }
      idle_.push_back(connections_.back().get());
    }
  }

  LoadResult run() {
    const double cpu_before = process_cpu_seconds();
    const Clock::time_point start = Clock::now();
    deadline_ = start + duration_;
    next_due_ = start;
    send_due(start);
    while (outstanding_ > 0 || next_due_ < deadline_) {
      serve_ready_connections();
      send_due(Clock::now());
    }
    result_.seconds = seconds_between(start, Clock::now());
    result_.driver_cpu_share = (process_cpu_seconds() - cpu_before) / result_.seconds;
    return std::move(result_);
  }

 private:
  bool has_rate() const { return interval_.count() > 0; }

  // Gives idle connections what is due: at a rate the requests whose time has come, else one each.
  void send_due(Clock::time_point now) {
    while (!idle_.empty() && (has_rate() ? next_due_ <= now : now < deadline_) &&
           next_due_ < deadline_) {
      Connection& connection = *idle_.back();
      idle_.pop_back();
      connection.send(requests_[next_request_], numbers_, has_rate() ? next_due_ : now);
      if (++next_request_ == requests_.size()) next_request_ = 0;
      ++outstanding_;
      if (has_rate()) next_due_ += std::chrono::duration_cast<Clock::duration>(interval_);
    }
    if (!has_rate() && now >= deadline_) next_due_ = deadline_;
  }

  // Until the next request is due and a connection is there for it; else as long as a server may
  // be silent.
  timespec waiting_time() const {
    auto limit = std::chrono::duration_cast<std::chrono::nanoseconds>(kSilenceLimit);
    if (has_rate() && !idle_.empty() && next_due_ < deadline_) {
      limit =
          std::max(std::chrono::nanoseconds(0),
                   std::chrono::duration_cast<std::chrono::nanoseconds>(next_due_ - Clock::now()));
    }
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(limit);
    return {seconds.count(), (limit - seconds).count()};
  }

  void serve_ready_connections() {
    std::array<epoll_event, 256> events;
    const timespec limit = waiting_time();
    const int ready = ::epoll_pwait2(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                     &limit, nullptr);
    if (ready < 0 && errno != EINTR) fail_with_errno("epoll_pwait2");
    if (ready == 0 && limit.tv_sec >= kSilenceLimit.count()) {
      throw std::runtime_error("the server stopped answering");
    }
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
    if (!is_expected(connection.request(), *response) && ++result_.failures == 1) {
      result_.first_failure = excerpt(response->whole);
    }
    connection.finish_answer(*response);
    idle_.push_back(&connection);
    if (!has_rate()) send_due(now);
  }

  std::vector<PreparedRequest>& requests_;
  std::chrono::milliseconds duration_;
  std::chrono::duration<double> interval_;
  Descriptor epoll_;
  UniqueNumbers numbers_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<Connection*> idle_;
  std::array<char, kReceiveBytes> scratch_{};
  Clock::time_point deadline_, next_due_;
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

LoadResult run_load(const LoadOptions& options, std::vector<PreparedRequest>& requests) {
  return std::make_unique<LoadDriver>(options, requests)->run();
}

std::vector<std::string> run_once(const LoadOptions& options,
                                  std::vector<PreparedRequest>& requests) {
  UniqueNumbers numbers;
  Connection connection(options, numbers.next());
  std::vector<std::string> bodies;
  auto scratch = std::make_unique<std::array<char, kReceiveBytes>>();
  for (PreparedRequest& request : requests) {
    connection.send(request, numbers, Clock::now());
    std::optional<FramedResponse> response;
    while (!response) {
      pollfd readable{connection.fd(), POLLIN, 0};
      ::poll(&readable, 1, -1);
      response = connection.receive(*scratch);
    }
    if (!is_expected(request, *response)) throw std::runtime_error(excerpt(response->whole));
    bodies.emplace_back(response->body);
    connection.finish_answer(*response);
  }
  return bodies;
}

}  // namespace restitch::bench
