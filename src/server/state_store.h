#pragma once

#include <memory>

#include "datasource/embedded/cluster.h"
#include "datasource/mongodb/mongo_source.h"
#include "runtime/blocking_pool.h"
#include "server/options.h"

namespace restitch::server {

// Where the server keeps apps, users and everything else of its own: in the embedded cluster of its
// data directory, or in the deployment of --state, which it shares with other nodes.
struct StateStore {
  std::shared_ptr<datasource::DataSource> source;
  // For apps' data sources that no --cluster names.
  std::shared_ptr<datasource::DataSource> data;
  std::shared_ptr<datasource::embedded::Cluster> cluster;        // null with --state
  std::shared_ptr<datasource::mongodb::MongoSource> deployment;  // null without
};

// kSourceUnavailable when the deployment does not answer within ten seconds, kInvalidArgument when
// the database that its URI names is none of the server's own. `pool` must outlive the store.
Result<StateStore> open_state_store(const ServeOptions& options, runtime::BlockingPool& pool);

// kInvalidArgument when the deployment has neither transactions nor change streams: nodes could not
// work together on it.
Task<void> require_replica_set(datasource::DataSource& deployment);

}  // namespace restitch::server
