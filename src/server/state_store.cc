#include "server/state_store.h"

#include <chrono>

#include "auth/store.h"
#include "datasource/client.h"
#include "server/state_database.h"

namespace restitch::server {
namespace {

using datasource::embedded::Cluster;
using datasource::mongodb::MongoSource;

constexpr std::chrono::seconds kPatience{10};

Result<StateStore> open_deployment(const std::string& uri) {
  const datasource::mongodb::MongoSourceOptions options{"--state", uri, datasource::Kind::kCluster};
  RESTITCH_TRY(const auto deployment, MongoSource::open(options, kPatience));
  const std::string database =
      deployment->database().empty() ? std::string(auth::kStateDatabase) : deployment->database();
  if (!database.starts_with(auth::kStateDatabase)) {
    deployment->close();
    return Error(ErrorCode::kInvalidArgument, "the database that --state names begins with " +
                                                  std::string(auth::kStateDatabase) +
                                                  ", so that no app reaches it; '" + database +
                                                  "' does not");
  }
  if (!deployment->is_reachable()) {
    deployment->close();
    return Error(ErrorCode::kSourceUnavailable, "the deployment of --state does not answer");
  }
  return StateStore{state_in_database(deployment, database), deployment, nullptr, deployment};
}

Result<StateStore> open_cluster(const ServeOptions& options, runtime::BlockingPool& pool) {
  datasource::embedded::ClusterOptions cluster_options;
  cluster_options.directory = options.data_directory + "/cluster";
  cluster_options.change_log_max_age_seconds = options.change_log_hours * 3600;
  cluster_options.change_log_max_bytes = options.change_log_megabytes << 20U;
  cluster_options.block_cache_bytes = options.cache_megabytes << 20U;
  cluster_options.expiry_interval = std::chrono::seconds(options.expiry_seconds);
  cluster_options.write_buffer_bytes = (options.write_buffer_megabytes << 20U) / 4;
  cluster_options.test_commands = options.test_commands;
  cluster_options.slow_millis = options.slow_millis;
  RESTITCH_TRY(auto opened, Cluster::open(cluster_options, pool));
  const std::shared_ptr<Cluster> cluster = std::move(opened);
  return StateStore{cluster, cluster, cluster, nullptr};
}

}  // namespace

Result<StateStore> open_state_store(const ServeOptions& options, runtime::BlockingPool& pool) {
  return options.state.empty() ? open_cluster(options, pool) : open_deployment(options.state);
}

Task<void> require_replica_set(datasource::DataSource& deployment) {
  bson::Builder hello;
  hello.append("hello", std::int32_t{1});
  RESTITCH_CO_TRY(const bson::Document reply,
                  co_await datasource::run_command(deployment, "admin", std::move(hello)));
  const bool is_router = reply["msg"].as_string().value_or("") == "isdbgrid";
  if (is_router || reply.view().contains("setName")) co_return Status();
  co_return Error(
      ErrorCode::kInvalidArgument,
      "--state needs a replica set or a sharded cluster: a server that stands alone has "
      "neither transactions nor change streams");
}

}  // namespace restitch::server
