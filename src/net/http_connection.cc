#include "net/http_connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <cstdio>
#include <ctime>
#include <new>
#include <utility>

#include "base/log.h"
#include "runtime/metrics.h"

namespace restitch::net {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::system::error_code;

metrics::Counter& request_count() {
  static metrics::Counter counter("restitch_http_requests_total", "HTTP requests answered");
  return counter;
}

metrics::Timing& request_time() {
  static metrics::Timing timing("restitch_http_request_seconds",
                                "Time from a complete request to its answer");
  return timing;
}

using Clock = std::chrono::steady_clock;

// Bodies have the time limit of a request and, beyond, as long as a peer of this speed needs.
constexpr std::size_t kSlowPeerBytesPerSecond = std::size_t{64} << 10U;

// For the end of a streamed body.
constexpr std::chrono::seconds kLastWords{2};

constexpr auto kTuple = boost::asio::as_tuple(boost::asio::use_awaitable);

class BeastRequest final : public HttpRequest {
 public:
  BeastRequest(http::request<http::string_body> message, const std::string& remote_ip)
      : message_(std::move(message)), remote_ip_(remote_ip) {}

  std::string_view method() const override { return to_view(message_.method_string()); }
  std::string_view target() const override { return to_view(message_.target()); }
  std::string_view header(std::string_view name) const override {
    const auto it = message_.find(beast::string_view(name.data(), name.size()));
    return it == message_.end() ? std::string_view() : to_view(it->value());
  }
  void for_each_header(
      const std::function<void(std::string_view, std::string_view)>& visit) const override {
    for (const auto& field : message_) visit(to_view(field.name_string()), to_view(field.value()));
  }
  std::string_view body() const override { return message_.body(); }
  const std::string& remote_ip() const override { return remote_ip_; }
  bool keep_alive() const { return message_.keep_alive(); }

 private:
  static std::string_view to_view(beast::string_view text) { return {text.data(), text.size()}; }

  http::request<http::string_body> message_;
  const std::string& remote_ip_;
};

// The Date header's value, made anew at most once a second for each thread.
std::string_view date_now() {
  thread_local std::time_t made_at = 0;
  thread_local std::array<char, 40> text{};
  thread_local std::size_t size = 0;
  const std::time_t now = std::time(nullptr);
  if (now != made_at) {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    size = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    made_at = now;
  }
  return {text.data(), size};
}

bool has_line_break(std::string_view text) {
  return text.find_first_of("\r\n") != std::string_view::npos;
}

std::string head_of(const HttpResponse& response, bool keep_alive) {
  std::string head;
  head.reserve(512);
  head.append("HTTP/1.1 ")
      .append(std::to_string(response.status))
      .append(" ")
      .append(reason_of(response.status));
  head.append("\r\nDate: ").append(date_now());
  for (const auto& [name, value] : response.headers) {
    if (has_line_break(value)) continue;
    head.append("\r\n").append(name).append(": ").append(value);
  }
  if (response.producer) {
    head.append("\r\nTransfer-Encoding: chunked");
  } else if (response.status != 204 && response.status != 304) {
    head.append("\r\nContent-Length: ").append(std::to_string(response.content().size()));
  }
  if (!keep_alive) head.append("\r\nConnection: close");
  head.append("\r\n\r\n");
  return head;
}

class ServedConnection final : public Connection,
                               public std::enable_shared_from_this<ServedConnection> {
 public:
  ServedConnection(tcp::socket socket, const HttpService& service)
      : socket_(std::move(socket)), service_(service) {
    error_code ignored;
    const auto endpoint = socket_.remote_endpoint(ignored);
    if (!ignored) remote_ip_ = endpoint.address().to_string();
    socket_.set_option(tcp::no_delay(true), ignored);
  }

  asio::awaitable<void> serve() override {
    const auto self = shared_from_this();
    while (!draining_) {
      const bool again = co_await serve_one();
      if (!again) break;
    }
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }

  void drain() override {
    draining_ = true;
    if (body_stream_ != nullptr) {
      body_stream_->end();
      deadline_ = Clock::now() + kLastWords;  // a peer that does not read holds nothing up
    }
    if (!in_request_) close();
  }

  void abort() override { close(); }

  void enforce_deadline(Clock::time_point now) override {
    if (now > deadline_) close();
  }

 private:
  // A body in chunks. What the peer sends meanwhile is read away, so that its end is seen.
  class ChunkedBody final : public BodyStream {
   public:
    explicit ChunkedBody(ServedConnection& connection) : connection_(connection) {}

    asio::awaitable<bool> write(std::string_view piece) override {
      if (has_ended_) co_return false;
      std::array<char, 20> size{};
      const int digits = std::snprintf(size.data(), size.size(), "%zx\r\n", piece.size());
      const std::array<boost::asio::const_buffer, 3> buffers{
          boost::asio::buffer(size.data(), static_cast<std::size_t>(digits)),
          boost::asio::buffer(piece.data(), piece.size()), boost::asio::buffer("\r\n", 2)};
      const bool sent =
          co_await connection_.send_in_time(buffers, connection_.service_.options.request_timeout);
      if (!sent) end();
      co_return !has_ended_;
    }

    void on_end(std::function<void()> notify) override {
      notify_ = std::move(notify);
      if (has_ended_) notify_();
    }

    void end() {
      if (std::exchange(has_ended_, true)) return;
      if (notify_) notify_();
    }

   private:
    ServedConnection& connection_;
    std::function<void()> notify_;
    bool has_ended_ = false;
  };

  void close() {
    error_code ignored;
    socket_.close(ignored);
    if (body_stream_ != nullptr) body_stream_->end();
  }

  // False when the connection is to end.
  asio::awaitable<bool> serve_one() {
    http::request_parser<http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(service_.options.max_header_bytes));
    parser.body_limit(boost::none);  // known when the head is read

    in_request_ = buffer_.size() > 0;
    deadline_ = Clock::now() +
                (in_request_ ? service_.options.request_timeout : service_.options.idle_timeout);
    const auto [head_error, head_bytes] =
        co_await http::async_read_header(socket_, buffer_, parser, kTuple);
    if (head_error) co_return co_await refuse(head_error, parser);
    in_request_ = true;

    const std::size_t limit = body_limit(parser);
    parser.body_limit(limit);
    if (parser.content_length().value_or(0) > limit) {
      co_return co_await refuse(http::error::body_limit, parser);
    }
    if (http::token_list(parser.get()[http::field::expect]).exists("100-continue")) {
      static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
      const auto [error, sent] =
          co_await boost::asio::async_write(socket_, boost::asio::buffer(kContinue), kTuple);
      if (error) co_return false;
    }
    if (!parser.is_done()) {
      deadline_ = Clock::now() + time_for(limit);
      const auto [body_error, body_bytes] =
          co_await http::async_read(socket_, buffer_, parser, kTuple);
      if (body_error) co_return co_await refuse(body_error, parser);
    }
    deadline_ = Clock::time_point::max();

    const BeastRequest request(parser.release(), remote_ip_);
    const auto started = std::chrono::steady_clock::now();
    HttpResponse response = co_await answer(request);
    request_time().observe(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    request_count().add();
    if (response.producer) {
      co_await send_stream(response, request.method() == "HEAD");
      in_request_ = false;
      co_return false;
    }
    const bool keep_alive = request.keep_alive() && !draining_;
    const bool sent = co_await send(response, request.method() == "HEAD", keep_alive);
    in_request_ = false;
    co_return sent&& keep_alive;
  }

  std::size_t body_limit(const http::request_parser<http::string_body>& parser) const {
    const std::size_t usual = service_.options.max_body_bytes;
    const auto length = parser.content_length();
    const bool is_small = length ? *length <= usual : !parser.chunked();
    if (is_small || !service_.options.larger_body_limit) return usual;
    const BeastRequest head(parser.get(), remote_ip_);
    return std::max(usual, service_.options.larger_body_limit(head));
  }

  Clock::duration time_for(std::size_t bytes) const {
    const std::size_t usual = service_.options.max_body_bytes;
    const std::size_t beyond = bytes > usual ? bytes - usual : 0;
    return service_.options.request_timeout +
           std::chrono::seconds(beyond / kSlowPeerBytesPerSecond);
  }

  asio::awaitable<HttpResponse> answer(const HttpRequest& request) {
    HttpResponse failure;
    failure.status = 503;
    failure.set("Content-Type", "application/json");
    failure.body = R"({"error":"the server is out of memory for this request"})";
    try {
      co_return co_await service_.handler(request);
    } catch (const std::bad_alloc&) {
      RESTITCH_LOG(kError, kNetwork, 1101, "Out of memory while answering a request");
    } catch (const std::exception& error) {
      RESTITCH_LOG(kError, kNetwork, 1102, "A request ended by an exception",
                   {"error", error.what()});
      failure.status = 500;
      failure.body = R"({"error":"internal server error","error_code":"InternalServerError"})";
    }
    co_return failure;
  }

  asio::awaitable<bool> send(const HttpResponse& response, bool head_only, bool keep_alive) {
    const std::string head = head_of(response, keep_alive);
    const std::array<boost::asio::const_buffer, 2> buffers{
        boost::asio::buffer(head),
        head_only ? boost::asio::const_buffer() : boost::asio::buffer(response.content())};
    deadline_ = Clock::now() + service_.options.request_timeout +
                std::chrono::seconds(response.content().size() / kSlowPeerBytesPerSecond);
    const auto [error, bytes] = co_await boost::asio::async_write(socket_, buffers, kTuple);
    co_return !error;
  }

  template <typename Buffers>
  asio::awaitable<bool> send_in_time(const Buffers& buffers, Clock::duration limit) {
    deadline_ = Clock::now() + limit;
    const auto [error, bytes] = co_await boost::asio::async_write(socket_, buffers, kTuple);
    deadline_ = Clock::time_point::max();
    co_return !error;
  }

  asio::awaitable<void> send_stream(const HttpResponse& response, bool head_only) {
    const std::string head = head_of(response, false);
    const bool has_begun =
        co_await send_in_time(boost::asio::buffer(head), service_.options.request_timeout);
    if (!has_begun || head_only) co_return;
    ChunkedBody body(*this);
    body_stream_ = &body;
    if (draining_) body.end();
    boost::asio::co_spawn(socket_.get_executor(), watch_peer(shared_from_this()), boost::asio::detached);
    try {
      co_await response.producer(body);
    } catch (const std::exception& error) {
      RESTITCH_LOG(kError, kNetwork, 1103, "A streamed answer ended by an exception", {"error", error.what()});
    }
    body_stream_ = nullptr;
    co_await send_in_time(boost::asio::buffer("0\r\n\r\n", 5), kLastWords);
    close();
  }

  // Ends with the connection: nothing else reads from a socket that a body streams to.
  static asio::awaitable<void> watch_peer(std::shared_ptr<ServedConnection> self) {
    std::array<char, 512> sink{};
    for (;;) {
      const auto [error, bytes] = co_await self->socket_.async_read_some(boost::asio::buffer(sink), kTuple);
      if (error) break;
    }
    if (self->body_stream_ != nullptr) self->body_stream_->end();
  }

  // Answers what cannot be read as a request, where an answer still makes sense.
  asio::awaitable<bool> refuse(error_code error, http::request_parser<http::string_body>& parser) {
    HttpResponse response;
    if (error == http::error::body_limit) {
      const BeastRequest request(parser.release(), remote_ip_);
      response = co_await service_.on_oversized_body(request);
    } else if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      response.status = 431;
      response.set("Content-Type", "application/json");
      response.body = R"({"error":"request header is too large"})";
    } else if (error.category() == make_error_code(http::error::bad_method).category() &&
               error != http::error::end_of_stream && error != http::error::partial_message) {
      response.status = 400;
      response.set("Content-Type", "application/json");
      response.body = R"({"error":"malformed HTTP request"})";
    } else {
      co_return false;  // closed, reset or timed out by the peer
    }
    co_await send(response, false, false);
    co_await discard_rest();
    co_return false;
  }

  // Reads on for a moment, so that a peer that is still sending sees the answer and not a reset.
  asio::awaitable<void> discard_rest() {
    static constexpr std::size_t kAtMost = 32U << 20U;
    std::array<char, 16384> sink{};
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    deadline_ = Clock::now() + (std::chrono::seconds(2));
    std::size_t total = 0;
    while (total < kAtMost) {
      const auto [error, bytes] =
          co_await socket_.async_read_some(boost::asio::buffer(sink), kTuple);
      if (error) co_return;
      total += bytes;
    }
  }

  tcp::socket socket_;
  beast::flat_buffer buffer_;
  const HttpService& service_;
  std::string remote_ip_;
  Clock::time_point deadline_ = Clock::time_point::max();
  bool draining_ = false;
  bool in_request_ = false;
  ChunkedBody* body_stream_ = nullptr;  // while an answer is streamed
};

}  // namespace

std::shared_ptr<Connection> make_http_connection(tcp::socket socket, const HttpService& service) {
  return std::make_shared<ServedConnection>(std::move(socket), service);
}

}  // namespace restitch::net
