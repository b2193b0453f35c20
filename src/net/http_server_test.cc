#include "net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace restitch::net {
namespace {

// A raw client, so that anything at all can be sent.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    const timeval limit{5, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  }
  ~RawClient() { ::close(socket_); }

  void send(std::string_view bytes) {
    // The server may close before all is sent.
    [[maybe_unused]] const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // Everything until the server closes.
  std::string read_all() {
    std::string out;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::recv(socket_, buffer, sizeof(buffer), 0)) > 0;) {
      out.append(buffer, static_cast<std::size_t>(got));
    }
    return out;
  }

 private:
  int socket_;
};

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() : threads_(2) {
    threads_.start();
    HttpServerOptions options;
    options.port = 0;
    options.max_body_bytes = 1000;
    options.max_header_bytes = 2000;
    options.idle_timeout = std::chrono::seconds(1);
    options.request_timeout = std::chrono::seconds(1);
    options.max_connections = 20;
    options.larger_body_limit = [](const HttpRequest& head) -> std::size_t {
      return head.path() == "/large" && head.header("x-name") == "me" ? 5000 : 0;
    };
    auto server = HttpServer::listen(options, threads_, &echo, &oversized);
    EXPECT_TRUE(server);
    server_ = std::move(*server);
  }
  ~HttpServerTest() override {
    stop(std::chrono::seconds(5));
    threads_.stop();
  }

  void stop(std::chrono::seconds grace) {
    server_->drain();
    server_->finish(std::chrono::steady_clock::now() + grace);
  }

  static asio::awaitable<HttpResponse> echo(const HttpRequest& request) {
    HttpResponse response;
    response.set("X-Injected", "a\r\nEvil: 1");
    if (request.path() == "/shared") response.shared_body = std::make_shared<const std::string>("shared");
    response.body = std::string(request.method()) + " " + std::string(request.path()) + " " +
                    std::string(request.header("x-name")) + " " + std::string(request.body());
    if (request.path() == "/headers") response.body = listed_headers(request);
    co_return response;
  }
  static std::string listed_headers(const HttpRequest& request) {
    std::string list;
    request.for_each_header([&list](std::string_view name, std::string_view value) {
      list.append(name).append("=").append(value).append(";");
    });
    return list;
  }
  static asio::awaitable<HttpResponse> oversized(const HttpRequest&) {
    HttpResponse response;
    response.status = 413;
    response.body = "too large";
    co_return response;
  }

  std::string exchange(std::string_view bytes) {
    RawClient client(server_->port());
    client.send(bytes);
    return client.read_all();
  }

  runtime::IoThreads threads_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, answers_pipelined_requests_in_order) {
  const std::string answer = exchange(
      "GET /one?x=1 HTTP/1.1\r\nHost: h\r\nX-Name: n\r\n\r\n"
      "POST /two HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi");
  const std::size_t first = answer.find("GET /one n ");
  const std::size_t second = answer.find("POST /two  hi");
  ASSERT_NE(first, std::string::npos) << answer;
  ASSERT_NE(second, std::string::npos) << answer;
  EXPECT_LT(first, second);
}

TEST_F(HttpServerTest, values_of_one_header_follow_each_other) {
  const std::string answer = exchange(
      "GET /headers HTTP/1.1\r\nX-A: 1\r\nHost: h\r\nx-a: 2\r\nX-B: 3\r\nX-A: 4\r\n"
      "Connection: close\r\n\r\n");
  EXPECT_NE(answer.find("X-A=1;x-a=2;X-A=4;Host=h;X-B=3;"), std::string::npos) << answer;
}

TEST_F(HttpServerTest, header_values_cannot_inject_headers) {
  const std::string answer = exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(answer.find("Evil"), std::string::npos) << answer;
}

TEST_F(HttpServerTest, reads_chunked_bodies) {
  const std::string answer = exchange(
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      "3\r\nabc\r\n0\r\n\r\n");
  EXPECT_NE(answer.find("POST /c  abc"), std::string::npos) << answer;
}

TEST_F(HttpServerTest, malformed_requests_get_400_and_the_connection_ends) {
  for (const char* junk : {"\x16\x03\x01\x02hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
                           "POST / HTTP/1.1\r\nContent-Length: nine\r\n\r\n"}) {
    const std::string answer = exchange(junk);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 ")) << junk << " -> " << answer;
  }
}

TEST_F(HttpServerTest, oversized_bodies_are_answered_by_the_owner) {
  const std::string answer = exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" +
                                      std::string(1001, 'x'));
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer;
  EXPECT_NE(answer.find("too large"), std::string::npos);
}

TEST_F(HttpServerTest, the_head_decides_how_large_a_body_may_be) {
  const auto put = [this](const std::string& target, std::size_t size, bool is_chunked) {
    std::string request = "PUT " + target + " HTTP/1.1\r\nHost: x\r\nX-Name: me\r\nConnection: close\r\n";
    if (is_chunked) {
      char length[20];
      std::snprintf(length, sizeof(length), "%zx", size);
      request += "Transfer-Encoding: chunked\r\n\r\n" + std::string(length) + "\r\n" +
                 std::string(size, 'b') + "\r\n0\r\n\r\n";
    } else {
      request += "Content-Length: " + std::to_string(size) + "\r\n\r\n" + std::string(size, 'b');
    }
    return exchange(request).substr(0, 13);
  };
  for (const bool is_chunked : {false, true}) {
    EXPECT_EQ(put("/large", 5000, is_chunked), "HTTP/1.1 200 ");
    EXPECT_EQ(put("/large", 5001, is_chunked), "HTTP/1.1 413 ");
    EXPECT_EQ(put("/usual", 1000, is_chunked), "HTTP/1.1 200 ");
    EXPECT_EQ(put("/usual", 1001, is_chunked), "HTTP/1.1 413 ");
  }
}

TEST_F(HttpServerTest, a_shared_body_is_sent_in_its_place) {
  const std::string answer = exchange("GET /shared HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 6\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\nshared")) << answer;
}

TEST_F(HttpServerTest, oversized_headers_get_431) {
  const std::string answer =
      exchange("GET / HTTP/1.1\r\nX: " + std::string(4000, 'x') + "\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 431 ")) << answer;
}

TEST_F(HttpServerTest, expect_continue_is_honoured) {
  const std::string answer = exchange(
      "POST /e HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\nConnection: "
      "close\r\n\r\nhi");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")) << answer;
}

TEST_F(HttpServerTest, a_connection_that_sends_nothing_or_half_a_request_is_closed) {
  EXPECT_EQ(exchange(""), "");
  EXPECT_EQ(exchange("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf"), "");
}

TEST_F(HttpServerTest, connections_above_the_limit_are_told_so) {
  std::vector<std::unique_ptr<RawClient>> idle;
  for (int at = 0; at < 20; ++at) idle.push_back(std::make_unique<RawClient>(server_->port()));
  while (server_->connections() < 20) std::this_thread::yield();
  const std::string answer = RawClient(server_->port()).read_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ")) << answer;
  EXPECT_TRUE(answer.ends_with("{\"error\":\"too many connections\"}")) << answer;
  idle.clear();
  while (server_->connections() > 0) std::this_thread::yield();
  EXPECT_NE(exchange("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").find("200 OK"),
            std::string::npos);
}

TEST_F(HttpServerTest, stop_closes_idle_connections_at_once) {
  RawClient idle(server_->port());
  while (server_->connections() == 0) std::this_thread::yield();
  const auto started = std::chrono::steady_clock::now();
  stop(std::chrono::seconds(10));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(5));
  EXPECT_EQ(server_->connections(), 0U);
  EXPECT_EQ(idle.read_all(), "");
}

}  // namespace
}  // namespace restitch::net
