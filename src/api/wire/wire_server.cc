#include "api/wire/wire_server.h"

#include "api/wire/wire_connection.h"
#include "base/log.h"
#include "net/listener.h"
#include "runtime/metrics.h"

namespace restitch::api::wire {

namespace {

using boost::asio::ip::tcp;

metrics::Gauge& open_connections() {
  static metrics::Gauge gauge("restitch_wire_connections",
                              "Open connections of the MongoDB wire protocol");
  return gauge;
}

metrics::Counter& refused_connections() {
  static metrics::Counter counter("restitch_wire_connections_refused_total",
                                  "Wire connections refused because there were too many");
  return counter;
}

Status check_address(const WireServerOptions& options) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(options.host, error);
  if (error) {
    return Error(ErrorCode::kInvalidArgument, "not an IP address to listen on: " + options.host);
  }
  if (!address.is_loopback() && !options.must_authenticate) {
    return Error(ErrorCode::kInvalidArgument,
                 "without --wire-auth the wire endpoint listens on loopback addresses only "
                 "(127.0.0.1 or [::1]), not on " +
                     options.host);
  }
  if (!address.is_loopback() && !options.tls) {
    RESTITCH_LOG(kWarning, kNetwork, 1207, "The wire endpoint is reachable without TLS",
                 {"address", options.host});
  }
  return {};
}

class Server final : public WireServer {
 public:
  Server(WireServerOptions options, datasource::embedded::Cluster& cluster,
         runtime::BlockingPool& pool)
      : service_{std::move(options), cluster, pool, nullptr, nullptr, {}, {}} {
    const WireServerOptions& given = service_.options;
    if (given.apps == nullptr || given.auth == nullptr) return;
    service_.app_users.reset(new AppUserService{*given.apps, *given.auth, {}});
  }

  Status open(runtime::IoThreads& threads) {
    const WireServerOptions& options = service_.options;
    RESTITCH_CHECK(check_address(options));
    if (options.tls) {
      RESTITCH_TRY(service_.tls, net::TlsContext::load(*options.tls));
    }
    net::ListenerOptions listening;
    listening.host = options.host;
    listening.port = options.port;
    listening.max_connections = options.max_connections;
    listening.name = "wire";
    auto& counted = service_.cluster.connections();
    counted.available = static_cast<std::int64_t>(options.max_connections);
    RESTITCH_TRY(listener_, net::Listener::listen(
                                std::move(listening), threads,
                                [this](tcp::socket socket, std::int32_t id) {
                                  return make_wire_connection(std::move(socket), service_, id);
                                },
                                counting(counted)));
    RESTITCH_LOG(kInfo, kNetwork, 1201, "Wire endpoint ready", {"address", options.host},
                 {"port", port()}, {"tls", options.tls.has_value()},
                 {"authentication", options.must_authenticate});
    return {};
  }

  std::uint16_t port() const override { return listener_->port(); }
  std::size_t connections() const override { return listener_->connections(); }

  void drain() override {
    service_.cluster.topology().counter.fetch_add(1);
    listener_->drain();
  }
  void finish(std::chrono::steady_clock::time_point deadline) override {
    listener_->finish(deadline);
  }

 private:
  static net::ListenerEvents counting(datasource::embedded::ConnectionStatistics& counted) {
    net::ListenerEvents events;
    events.opened = [&counted] {
      open_connections().add(1);
      ++counted.current;
      ++counted.created;
      --counted.available;
    };
    events.closed = [&counted] {
      open_connections().add(-1);
      --counted.current;
      ++counted.available;
    };
    events.refused = [&counted] {
      refused_connections().add();
      ++counted.rejected;
    };
    return events;
  }

  WireService service_;
  std::unique_ptr<net::Listener> listener_;
};

}  // namespace

Result<std::unique_ptr<WireServer>> WireServer::listen(WireServerOptions options,
                                                       runtime::IoThreads& threads,
                                                       datasource::embedded::Cluster& cluster,
                                                       runtime::BlockingPool& pool) {
  auto server = std::make_unique<Server>(std::move(options), cluster, pool);
  RESTITCH_CHECK(server->open(threads));
  return std::unique_ptr<WireServer>(std::move(server));
}

}  // namespace restitch::api::wire
