#include "server/server.h"

#include <sched.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <map>

#include "api/admin/admin_api.h"
#include "api/client/client_api.h"
#include "api/endpoints/endpoints_api.h"
#include "api/hosting/hosting_api.h"
#include "api/pages/userpass_pages.h"
#include "api/http_error.h"
#include "api/wire/wire_server.h"
#include "app/loader.h"
#include "auth/admin_accounts.h"
#include "auth/auth_service.h"
#include "auth/crypto.h"
#include "auth/user_admin.h"
#include "base/log.h"
#include "deployment/app_manager.h"
#include "deployment/app_registry.h"
#include "deployment/app_store.h"
#include "deployment/audit_log.h"
#include "deployment/deployer.h"
#include "deployment/file_store.h"
#include "deployment/hosting.h"
#include "deployment/log_store.h"
#include "deployment/repository/repository_deployments.h"
#include "net/http_server.h"
#include "runtime/background_pool.h"
#include "runtime/io_threads.h"
#include "runtime/metrics.h"
#include "runtime/run_and_wait.h"
#include "server/admin_credentials.h"
#include "server/backup/control_socket.h"
#include "server/control_commands.h"
#include "server/console_output.h"
#include "server/data_directory.h"
#include "server/directory_watch.h"
#include "server/hosted_deployment.h"
#include "server/shared_credentials.h"
#include "server/state_store.h"
#include "server/state_watch.h"
#include "server/user_sweep.h"
#include "server/wire_user.h"
#include "server/worker_location.h"
#include "triggers/trigger_service.h"

namespace restitch::server {
namespace {

constexpr std::chrono::seconds kDrainGrace{30};
constexpr std::chrono::seconds kTriggerGrace{10};  // for trigger functions under way
constexpr std::size_t kPoolQueue = 20000;
constexpr std::size_t kHashQueue = 500;  // some ten seconds of work: whoever waits longer has given up

// One for each processor that this process may use.
std::size_t thread_count(std::size_t configured) {
  if (configured != 0) return configured;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 1;
  return std::max<std::size_t>(1, static_cast<std::size_t>(CPU_COUNT(&allowed)));
}

net::HttpResponse text_response(int status, std::string type, std::string body) {
  net::HttpResponse response;
  response.status = status;
  response.set("Content-Type", std::move(type));
  response.body = std::move(body);
  return response;
}

void log_findings(const std::string& directory, const app::Findings& findings) {
  for (const app::Finding& finding : findings.list()) {
    if (finding.severity == app::FindingSeverity::kError) {
      RESTITCH_LOG(kError, kApp, 2002, "App directory refused", {"directory", directory},
                   {"finding", app::to_line(finding)});
    } else {
      RESTITCH_LOG(kWarning, kApp, 2003, "App directory has a questionable entry", {"directory", directory},
                   {"finding", app::to_line(finding)});
    }
  }
}

// With --state the key pair is that of all nodes; what this one had before is replaced.
Result<AdminCredentials> agree_on_credentials(const ServeOptions& options, const StateStore& state,
                                              const auth::SecretBox& box, AdminCredentials own) {
  if (!state.deployment) return own;
  runtime::IoThreads thread(1);
  thread.start();
  const auto agree = [&]() -> Task<AdminCredentials> {
    RESTITCH_CO_CHECK(co_await require_replica_set(*state.source));
    co_return co_await share_credentials(*state.source, box, own);
  };
  auto shared = runtime::run_and_wait(thread.context(0), agree());
  thread.stop();
  if (!shared) {
    state.deployment->close();
    return std::move(shared).error();
  }
  if (to_json(*shared) != to_json(own)) {
    RESTITCH_CHECK(replace_admin_credentials(options.data_directory, *shared));
  }
  return shared;
}

class RunningServer final : public Server {
 public:
  RunningServer(ServeOptions options, DataDirectory directory, AdminCredentials admin, auth::SecretBox box, std::string worker_script,
                std::unique_ptr<runtime::BlockingPool> pool, StateStore state)
      : options_(std::move(options)),
        directory_(std::move(directory)),
        admin_(admin),
        threads_(thread_count(options_.threads)),
        pool_(std::move(pool)),
        hash_pool_(runtime::make_background_pool(std::max<std::size_t>(1, thread_count(options_.threads) / 2),
                                                 kHashQueue, runtime::kNiceOfHashes)),
        state_(std::move(state)),
        clusters_(state_.data),
        hubs_(threads_),
        apps_store_(state_.source, box, node_),
        configs_(state_.source, node_),
        files_(state_.source),
        hosted_files_(files_),
        logs_(state_.source, threads_, log_settings(options_)),
        audit_(state_.source, options_.audit_days),
        auth_(state_.source, *hash_pool_, outbound_, auth_settings(options_)),
        deployer_(registry_, apps_store_, logs_, auth_, clusters_, deployer_options(options_, admin, worker_script, hubs_, state_)),
        triggers_(triggers::TriggerService::create(state_.source, hubs_, logs_, threads_, trigger_options(options_))),
        manager_(registry_, apps_store_, configs_, files_, deployer_, options_.data_directory + "/uploads", is_one_of_many()),
        repository_store_(state_.source, box, node_name(options_)),
        repositories_(threads_, manager_, repository_store_, logs_, repository_options()),
        accounts_(state_.source, std::move(box), admin_credentials(options_, admin_)),
        user_admin_(state_.source, auth_),
        client_api_(registry_, auth_, {options_.public_url, options_.trusted_proxies, &logs_}),
        admin_api_(manager_, accounts_, auth_, user_admin_, logs_, *triggers_, hosted_files_, audit_, repositories_, admin_options(options_)),
        endpoints_api_(registry_, auth_, options_.public_url, options_.trusted_proxies),
        hosting_api_(registry_, hosted_files_, {options_.hosting_domain, options_.trusted_proxies}),
        commands_(threads_, registry_, deployer_, auth_),
        user_sweep_(threads_, registry_, auth_),
        state_watch_(threads_, state_.source, manager_, *triggers_, auth_, node_) {}

  Status open() {
    threads_.start();
    RESTITCH_CHECK(clusters_.bind(options_.clusters));
    RESTITCH_CHECK(runtime::run_and_wait(threads_.context(0), prepare()));
    if (is_one_of_many()) RESTITCH_CHECK(runtime::run_and_wait(threads_.context(0), state_watch_.open()));
    RESTITCH_CHECK(runtime::run_and_wait(threads_.context(0), manager_.load_all()));
    for (const std::string& directory : options_.apps) {
      fingerprints_[directory] = fingerprint_of_directory(directory);
      RESTITCH_CHECK(deploy(directory));
    }
    RESTITCH_CHECK(open_wire());
    open_control();
    net::HttpServerOptions http;
    http.host = options_.listen.host;
    http.port = options_.listen.port;
    http.larger_body_limit = [this](const net::HttpRequest& head) { return admin_api_.body_limit(head); };
    RESTITCH_TRY(http_, net::HttpServer::listen(
                            http, threads_, [this](const net::HttpRequest& request) { return handle(request); },
                            [this](const net::HttpRequest& request) {
                              return api::admin::AdminApi::serves(request.path())
                                         ? admin_api_.handle_oversized(request)
                                         : client_api_.handle_oversized(request);
                            }));
    user_sweep_.start();
    repositories_.start();
    if (is_one_of_many()) state_watch_.start();
    ready_.store(true);
    RESTITCH_LOG(kInfo, kServer, 1, "Server ready", {"version", RESTITCH_VERSION}, {"address", options_.listen.host},
                 {"port", http_->port()}, {"data", options_.data_directory}, {"apps", registry_.all().size()});
    return {};
  }

  bool needs_restart() const override { return state_.cluster && state_.cluster->needs_restart(); }

  void redeploy_changed_apps() override {
    for (auto& [directory, known] : fingerprints_) {
      const std::size_t now = fingerprint_of_directory(directory);
      if (now == known) continue;
      known = now;
      if (const Status deployed = deploy(directory); !deployed) {
        RESTITCH_LOG(kError, kApp, 2004, "Changed app not deployed; the running one stays", {"directory", directory});
      }
    }
  }

  Status stop() override {
    ready_.store(false);
    RESTITCH_LOG(kInfo, kServer, 2, "Server stopping", {"connections", http_ ? http_->connections() : 0});
    control_.reset();
    if (state_.cluster) state_.cluster->stop_waiting();
    if (http_) http_->drain();
    if (wire_) wire_->drain();
    const auto deadline = std::chrono::steady_clock::now() + kDrainGrace;
    if (http_) http_->finish(deadline);
    if (wire_) wire_->finish(deadline);
    boost::asio::co_spawn(threads_.context(0), repositories_.stop(), boost::asio::use_future).get();
    boost::asio::co_spawn(threads_.context(0), user_sweep_.stop(), boost::asio::use_future).get();
    boost::asio::co_spawn(threads_.context(0), state_watch_.stop(), boost::asio::use_future).get();
    boost::asio::co_spawn(threads_.context(0), triggers_->drain(kTriggerGrace), boost::asio::use_future).get();
    boost::asio::co_spawn(threads_.context(0), deployer_.stop(), boost::asio::use_future).get();
    boost::asio::co_spawn(threads_.context(0), triggers_->stop(), boost::asio::use_future).get();
    boost::asio::co_spawn(threads_.context(0), hubs_.stop(), boost::asio::use_future).get();
    logs_.drain();
    clusters_.close();
    if (state_.deployment) state_.deployment->close();
    threads_.stop();
    pool_->stop();
    hash_pool_->stop();
    outbound_.stop();
    if (state_.cluster) RESTITCH_CHECK(state_.cluster->close());
    RESTITCH_LOG(kInfo, kServer, 3, "Server stopped");
    return {};
  }

 private:
  // Whether other nodes may work on the same state.
  bool is_one_of_many() const { return state_.deployment != nullptr; }

  static auth::AuthSettings auth_settings(const ServeOptions& serve) {
    auth::AuthSettings settings;
    settings.attempt_rates = serve.attempt_rates;
    settings.identity_endpoints = serve.identity_endpoints;
    settings.mail = {serve.smtp_url, serve.mail_from, serve.data_directory + "/mailbox"};
    settings.public_url = serve.public_url.empty()
                              ? "http://" + serve.listen.host + ":" + std::to_string(serve.listen.port)
                              : serve.public_url;
    return settings;
  }

  static deployment::LogSettings log_settings(const ServeOptions& serve) {
    using deployment::RequestLogs;
    deployment::LogSettings settings;
    settings.days = serve.log_days;
    settings.rate = serve.log_rate;
    if (serve.log_requests == "all") settings.requests = RequestLogs::kAll;
    if (serve.log_requests == "errors") settings.requests = RequestLogs::kErrors;
    settings.code_of = [](ErrorCode code) { return std::string(api::http_error_of(code).error_code); };
    return settings;
  }

  // The same over restarts, another one for each data directory.
  static std::string node_name(const ServeOptions& serve) {
    char host[256] = {};
    if (::gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
    std::error_code ignored;
    return std::string(host) + ":" +
           std::filesystem::weakly_canonical(serve.data_directory, ignored).string();
  }

  static triggers::TriggerServiceOptions trigger_options(const ServeOptions& serve) {
    triggers::TriggerServiceOptions options;
    options.node = node_name(serve);
    const auto gateway = serve.service_gateways.find("AWS_EVENTBRIDGE");
    if (gateway != serve.service_gateways.end()) options.event_bridge_gateway = gateway->second;
    return options;
  }

  deployment::RepositoryOptions repository_options() {
    deployment::RepositoryOptions options;
    options.git.program = options_.git;
    options.git.scratch = options_.data_directory + "/repositories";
    options.git.allows_files = options_.file_repositories;
    options.deploy_hosted_files = [this](const std::string& root, bson::ObjectId app) {
      deploy_hosted_files(root, app, hosted_files_, threads_);
    };
    return options;
  }

  static std::vector<auth::AdminCredential> admin_credentials(const ServeOptions& serve,
                                                              const AdminCredentials& admin) {
    std::vector<auth::AdminCredential> credentials;
    credentials.push_back({"mongodb-cloud", admin.public_api_key, admin.private_api_key});
    if (!serve.admin_user.empty()) {
      credentials.push_back({"local-userpass", serve.admin_user, serve.admin_password});
    }
    return credentials;
  }

  static api::admin::AdminApiOptions admin_options(const ServeOptions& serve) {
    api::admin::AdminApiOptions options;
    options.public_url = serve.public_url;
    options.trusted_proxies = serve.trusted_proxies;
    options.hosting_domain = serve.hosting_domain;
    for (const datasource::ClusterBinding& binding : serve.clusters) {
      switch (binding.kind) {
        case datasource::Kind::kCluster: options.clusters.push_back(binding.name); break;
        case datasource::Kind::kServerless: options.serverless.push_back(binding.name); break;
        case datasource::Kind::kFederated: options.federated.push_back(binding.name); break;
      }
    }
    return options;
  }

  static deployment::DeployerOptions deployer_options(const ServeOptions& serve, const AdminCredentials& admin,
                                                      const std::string& worker_script,
                                                      datasource::ChangeHubs& hubs, const StateStore& state) {
    deployment::DeployerOptions options;
    options.hubs = &hubs;
    if (state.cluster) options.embedded = state.data;
    options.group_id = admin.group_id;
    options.hosting_domain = serve.hosting_domain;
    options.strict_clusters = serve.strict_clusters;
    options.dependencies.directory = serve.data_directory + "/dependencies";
    options.dependencies.npm.program = serve.npm;
    options.dependencies.npm.cache = serve.data_directory + "/dependencies/npm-cache";
    options.functions.limits = serve.function_limits;
    options.functions.gateways = serve.service_gateways;
    options.functions.inspect = serve.inspect;
    if (serve.console || serve.watch) options.functions.console = print_console_line;
    options.functions.node_binary = serve.node;
    options.functions.worker_script = worker_script;
    return options;
  }

  Task<void> prepare() {
    RESTITCH_CO_CHECK(co_await auth_.prepare());
    RESTITCH_CO_CHECK(co_await apps_store_.prepare());
    RESTITCH_CO_CHECK(co_await configs_.prepare());
    RESTITCH_CO_CHECK(co_await files_.prepare());
    RESTITCH_CO_CHECK(co_await accounts_.prepare());
    RESTITCH_CO_CHECK(co_await logs_.prepare());
    RESTITCH_CO_CHECK(co_await audit_.prepare());
    RESTITCH_CO_CHECK(co_await triggers_->prepare());
    deployer_.set_on_deployed(
        [this](deployment::DeployedAppPtr app) { return triggers_->deploy(std::move(app)); });
    co_return Status();
  }

  // Some file systems have no sockets; then only backups of the stopped server are possible.
  void open_control() {
    auto opened = backup::ControlSocket::open(
        options_.data_directory, [this](const std::string& directory) { return checkpoint(directory); },
        [this](bson::Document command, backup::ControlClient& client) { commands_.run(command, client); });
    if (opened) {
      control_ = std::move(*opened);
    } else {
      RESTITCH_LOG(kWarning, kServer, 14, "Online backups and commands are not possible", {"error", opened.error().message()});
    }
  }

  Result<bson::Timestamp> checkpoint(const std::string& directory) {
    if (state_.cluster) return state_.cluster->checkpoint(directory);
    return Error(ErrorCode::kUnsupported, "this server keeps nothing of its own: back up the deployment of --state");
  }

  Status open_wire() {
    if (!options_.wire) return {};
    api::wire::WireServerOptions wire;
    wire.host = options_.wire->host;
    wire.port = options_.wire->port;
    wire.advertised = options_.wire_advertise;
    wire.must_authenticate = options_.wire_auth;
    wire.apps = &registry_;
    wire.auth = &auth_;
    if (!options_.wire_tls_cert.empty()) {
      wire.tls = net::TlsOptions{options_.wire_tls_cert, options_.wire_tls_key, options_.wire_tls_ca};
    }
    if (options_.wire_auth) {
      RESTITCH_CHECK(runtime::run_and_wait(threads_.context(0), ensure_wire_user(*state_.cluster, admin_)));
    }
    RESTITCH_TRY(wire_, api::wire::WireServer::listen(wire, threads_, *state_.cluster, *pool_));
    return {};
  }

  Status deploy(const std::string& directory) {
    app::Findings findings;
    const auto deployed =
        runtime::run_and_wait(threads_.context(0), manager_.deploy_directory(directory, findings));
    log_findings(directory, findings);
    if (!deployed) return Error(deployed.error().code(), directory + ":\n" + deployed.error().message());
    const deployment::DeployedAppPtr app = registry_.find(*deployed);
    RESTITCH_TRY(const std::string root, app::find_app_root(directory));
    if (app) deploy_hosted_files(root, app->id, hosted_files_, threads_);
    return {};
  }

  bool is_ready() const {
    return ready_.load() && (!state_.deployment || state_.deployment->is_reachable());
  }

  asio::awaitable<net::HttpResponse> handle(const net::HttpRequest& request) {
    const std::string_view path = request.path();
    if (api::endpoints::EndpointsApi::serves(path)) co_return co_await endpoints_api_.handle(request);
    if (api::client::ClientApi::serves(path)) co_return co_await client_api_.handle(request);
    if (api::admin::AdminApi::serves(path)) co_return co_await admin_api_.handle(request);
    if (auto page = api::pages::userpass_page(request.method(), path)) co_return std::move(*page);
    if (path == "/healthz") co_return text_response(200, "application/json", R"({"status":"ok"})");
    if (path == "/readyz") {
      co_return is_ready() ? text_response(200, "application/json", R"({"status":"ready"})")
                              : text_response(503, "application/json", R"({"status":"not ready"})");
    }
    if (path == "/metrics") co_return text_response(200, "text/plain; version=0.0.4", render_metrics());
    if (auto site = hosting_api_.site_of(request)) co_return co_await hosting_api_.handle(request, std::move(*site));
    co_return api::error_response(Error(ErrorCode::kNotFound, "not found"), "");
  }

  std::string render_metrics() const {
    if (state_.cluster) measure_cluster();
    return metrics::render();
  }

  void measure_cluster() const {
    static metrics::Gauge commits("restitch_storage_commits", "Commits of the embedded cluster since the start");
    static metrics::Gauge groups("restitch_storage_commit_groups", "Commit groups, each made durable at once");
    static metrics::Gauge syncs("restitch_storage_syncs", "Syncs of the log");
    static metrics::Gauge cursors("restitch_cluster_open_cursors", "Open cursors of the embedded cluster");
    static metrics::Gauge transactions("restitch_cluster_open_transactions", "Open transactions");
    const auto statistics = state_.cluster->statistics();
    commits.set(static_cast<double>(statistics.storage.commits));
    groups.set(static_cast<double>(statistics.storage.commit_groups));
    syncs.set(static_cast<double>(statistics.storage.syncs));
    cursors.set(static_cast<double>(statistics.open_cursors));
    transactions.set(static_cast<double>(statistics.open_transactions));
  }

  ServeOptions options_;
  DataDirectory directory_;
  AdminCredentials admin_;
  runtime::IoThreads threads_;
  std::unique_ptr<runtime::BlockingPool> pool_;
  std::unique_ptr<runtime::BlockingPool> hash_pool_;
  net::Outbound outbound_;
  StateStore state_;
  const bson::ObjectId node_ = bson::ObjectId::generate();
  datasource::Clusters clusters_;
  datasource::ChangeHubs hubs_;
  deployment::AppRegistry registry_;
  deployment::AppStore apps_store_;
  deployment::ConfigStore configs_;
  deployment::FileStore files_;
  deployment::HostedFiles hosted_files_;
  deployment::LogStore logs_;
  deployment::AuditLog audit_;
  auth::AuthService auth_;
  deployment::Deployer deployer_;
  std::unique_ptr<triggers::TriggerService> triggers_;
  deployment::AppManager manager_;
  deployment::RepositoryStore repository_store_;
  deployment::RepositoryDeployments repositories_;
  auth::AdminAccounts accounts_;
  auth::UserAdmin user_admin_;
  api::client::ClientApi client_api_;
  api::admin::AdminApi admin_api_;
  api::endpoints::EndpointsApi endpoints_api_;
  api::hosting::HostingApi hosting_api_;
  ControlCommands commands_;
  UserSweep user_sweep_;
  StateWatch state_watch_;
  std::unique_ptr<net::HttpServer> http_;
  std::unique_ptr<api::wire::WireServer> wire_;
  std::unique_ptr<backup::ControlSocket> control_;
  std::map<std::string, std::size_t> fingerprints_;
  std::atomic<bool> ready_{false};
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(ServeOptions options) {
  RESTITCH_TRY(auto directory, DataDirectory::open(options.data_directory));
  RESTITCH_TRY(auto admin, load_or_create_admin_credentials(options.data_directory));
  RESTITCH_TRY(auto box, auth::SecretBox::open(options.secret_key.empty() ? options.data_directory + "/secret.key"
                                                                           : options.secret_key));
  RESTITCH_TRY(auto worker_script, find_worker_script(options.worker_script));
  auto pool = runtime::make_background_pool(std::max<std::size_t>(4, thread_count(options.threads)), kPoolQueue,
                                            runtime::kNiceOfReads);
  RESTITCH_TRY(StateStore state, open_state_store(options, *pool));
  RESTITCH_TRY(admin, agree_on_credentials(options, state, box, std::move(admin)));
  auto server = std::make_unique<RunningServer>(std::move(options), std::move(directory), std::move(admin), std::move(box),
                                                std::move(worker_script), std::move(pool), std::move(state));
  if (Status opened = server->open(); !opened) {
    const Status stopped = server->stop();
    if (!stopped) RESTITCH_LOG(kError, kServer, 4, "Cannot stop cleanly", {"error", stopped.error().message()});
    return std::move(opened).error();
  }
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace restitch::server
