// The floor of HTTP in this stack: a single-threaded Beast server that answers every request with
// the same body, so that no server built on Beast can be expected to be faster.

#include <CLI/CLI.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/version.hpp>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

using Response = http::response<http::string_body>;

constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

Response constant_response(std::size_t body_bytes) {
  Response response{http::status::ok, 11};
  response.set(http::field::content_type, "application/json");
  response.keep_alive(true);
  response.body() = "\"" + std::string(body_bytes - 2, 'x') + "\"";
  response.prepare_payload();
  return response;
}

asio::awaitable<void> serve(tcp::socket socket, const Response& response) {
  socket.set_option(tcp::no_delay(true));
  boost::beast::flat_buffer buffer;
  for (;;) {
    http::request<http::string_body> request;
    const auto [read_error, read] = co_await http::async_read(socket, buffer, request, kAwait);
    if (read_error) co_return;
    const auto [write_error, written] = co_await http::async_write(socket, response, kAwait);
    if (write_error) co_return;
  }
}

void rethrow(std::exception_ptr failure) {
  if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> accept_forever(tcp::acceptor& acceptor, const Response& response) {
  for (;;) {
    auto [error, socket] = co_await acceptor.async_accept(kAwait);
    if (error) co_return;
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket), response), rethrow);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App cli{"Beast server that answers a constant"};
  std::uint16_t port = 0;
  std::size_t body_bytes = 256;
  cli.add_option("--port", port, "Port on 127.0.0.1")->required();
  cli.add_option("--body-bytes", body_bytes, "Size of every answer's body")
      ->check(CLI::Range(2, 1 << 20));
  cli.set_version_flag("--version", BOOST_LIB_VERSION);
  CLI11_PARSE(cli, argc, argv);

  try {
    asio::io_context context{1};
    tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), port});
    const Response response = constant_response(body_bytes);
    asio::co_spawn(context, accept_forever(acceptor, response), rethrow);
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](boost::system::error_code, int) { context.stop(); });
    context.run();
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << std::endl;
    return 2;
  }
}
