#include "net/http_server.h"

#include "net/http_connection.h"
#include "net/listener.h"
#include "runtime/metrics.h"

namespace restitch::net {
namespace {

constexpr const char* kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
    "Content-Length: 32\r\n\r\n{\"error\":\"too many connections\"}";

metrics::Gauge& open_connections() {
  static metrics::Gauge gauge("restitch_http_connections", "Open HTTP connections");
  return gauge;
}

metrics::Counter& refused_connections() {
  static metrics::Counter counter("restitch_http_connections_refused_total",
                                  "HTTP connections refused because there were too many");
  return counter;
}

class Server final : public HttpServer {
 public:
  Server(HttpServerOptions options, HttpHandler handler, HttpHandler on_oversized_body)
      : service_{std::move(options), std::move(handler), std::move(on_oversized_body)} {}

  Status open(runtime::IoThreads& threads) {
    ListenerOptions options;
    options.host = service_.options.host;
    options.port = service_.options.port;
    options.max_connections = service_.options.max_connections;
    options.name = "http";
    options.refusal = kTooMany;
    ListenerEvents events;
    events.opened = [] { open_connections().add(1); };
    events.closed = [] { open_connections().add(-1); };
    events.refused = [] { refused_connections().add(); };
    RESTITCH_TRY(listener_, Listener::listen(
                                std::move(options), threads,
                                [this](boost::asio::ip::tcp::socket socket, std::int32_t) {
                                  return make_http_connection(std::move(socket), service_);
                                },
                                std::move(events)));
    return {};
  }

  std::uint16_t port() const override { return listener_->port(); }
  std::size_t connections() const override { return listener_->connections(); }
  void drain() override { listener_->drain(); }
  void finish(std::chrono::steady_clock::time_point deadline) override {
    listener_->finish(deadline);
  }

 private:
  HttpService service_;
  std::unique_ptr<Listener> listener_;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::listen(HttpServerOptions options,
                                                       runtime::IoThreads& threads,
                                                       HttpHandler handler,
                                                       HttpHandler on_oversized_body) {
  auto server = std::make_unique<Server>(std::move(options), std::move(handler),
                                         std::move(on_oversized_body));
  RESTITCH_CHECK(server->open(threads));
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace restitch::net
