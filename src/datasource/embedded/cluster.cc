#include "datasource/embedded/cluster.h"

#include "base/log.h"
#include "datasource/embedded/cluster_parameters.h"
#include "datasource/embedded/dispatcher.h"
#include "datasource/embedded/maintenance.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

namespace {

constexpr std::size_t kSchemaThreads = 4;
constexpr std::size_t kSchemaQueue = 10'000;

class ClusterImpl final : public Cluster {
 public:
  ClusterImpl(const ClusterOptions& options, std::unique_ptr<storage::Engine> engine,
              runtime::BlockingPool& pool)
      : expiry_interval_(options.expiry_interval) {
    services_.engine = std::move(engine);
    services_.catalog = std::make_unique<Catalog>(*services_.engine);
    services_.follower = std::make_unique<LogFollower>(*services_.engine);
    services_.pool = &pool;
    services_.schema_pool = std::make_unique<runtime::BlockingPool>(kSchemaThreads, kSchemaQueue);
    services_.directory = options.directory;
    services_.parameters.slow_millis = options.slow_millis;
    services_.parameters.has_test_commands = options.test_commands;
    if (options.test_commands) services_.fail_points.allow();
  }

  ~ClusterImpl() override {
    if (const Status closed = close(); !closed) {
      RESTITCH_LOG(kError, kSource, 5106, "Closing the embedded cluster failed",
                   {"error", closed.error().message()});
    }
  }

  Status start() {
    RESTITCH_TRY(services_.identity, begin_term(*services_.engine));
    RESTITCH_CHECK(services_.catalog->load());
    RESTITCH_CHECK(load_cluster_parameters(services_));
    maintenance_ = std::make_unique<Maintenance>(services_, expiry_interval_);
    return {};
  }

  Task<bson::Document> run(std::string_view database, bson::Document command,
                           Deadline deadline) override {
    return dispatch(services_, {std::string(database), std::move(command), deadline, {}, {}});
  }
  Task<bson::Document> run_for(CallerContext context, std::string_view database,
                               bson::Document command) override {
    return dispatch(services_, {std::string(database), std::move(command), kNoDeadline,
                                std::move(context.caller), std::move(context.wait)});
  }

  Topology& topology() override { return services_.topology; }
  ConnectionStatistics& connections() override { return services_.connections; }

  Kind kind() const override { return Kind::kCluster; }
  bool has_transactions() const override { return true; }

  ClusterStatistics statistics() const override {
    ClusterStatistics statistics;
    statistics.storage = services_.engine->statistics();
    statistics.open_cursors = services_.cursors.size();
    statistics.open_transactions = services_.sessions.open_transactions();
    statistics.inline_reads = services_.inline_reads.load();
    statistics.pooled_reads = services_.pooled_reads.load();
    return statistics;
  }

  bool needs_restart() const override { return services_.engine->needs_restart(); }

  bson::Timestamp cluster_time() const override { return services_.engine->last_committed(); }
  void advance_cluster_time(bson::Timestamp seen) override {
    const std::uint64_t ticks = (std::uint64_t{seen.seconds} << 32U) | seen.increment;
    std::uint64_t known = services_.heard_time.load();
    while (known < ticks && !services_.heard_time.compare_exchange_weak(known, ticks)) {
    }
    services_.engine->advance_cluster_time(seen);
  }

  void stop_waiting() override {
    services_.is_draining = true;
    services_.cursors.wake_all();
  }

  Result<bson::Timestamp> checkpoint(const std::string& directory) override {
    RESTITCH_CHECK(services_.engine->checkpoint(directory));
    return services_.engine->last_committed();
  }

  Status close() override {
    stop_waiting();
    if (services_.is_closing.exchange(true)) return {};
    if (maintenance_) maintenance_->stop();
    services_.schema_pool->stop();
    services_.cursors.kill_all();
    services_.snapshots.clear();
    services_.sessions.kill([](std::string_view) { return true; });
    services_.follower->stop();
    const Status saved = services_.catalog->save_counters();
    RESTITCH_CHECK(services_.engine->close());
    return saved;
  }

 private:
  Services services_;
  std::chrono::seconds expiry_interval_;
  std::unique_ptr<Maintenance> maintenance_;
};

}  // namespace

Result<std::unique_ptr<Cluster>> Cluster::open(const ClusterOptions& options,
                                               runtime::BlockingPool& pool) {
  storage::EngineOptions engine_options;
  engine_options.directory = options.directory;
  engine_options.block_cache_bytes = options.block_cache_bytes;
  engine_options.write_buffer_bytes = options.write_buffer_bytes;
  engine_options.change_log_max_age_seconds = options.change_log_max_age_seconds;
  engine_options.change_log_max_bytes = options.change_log_max_bytes;
  RESTITCH_TRY(auto engine, storage::Engine::open(std::move(engine_options)));
  auto cluster = std::make_unique<ClusterImpl>(options, std::move(engine), pool);
  RESTITCH_CHECK(cluster->start());
  return std::unique_ptr<Cluster>(std::move(cluster));
}

}  // namespace restitch::datasource::embedded
