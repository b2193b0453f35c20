#pragma once

#include <memory>
#include <string>

#include "datasource/data_source.h"
#include "deployment/deployed_app.h"
#include "runtime/task.h"

namespace restitch::deployment {

// The users of the embedded cluster that stand for apps (spec: rules §8): mongodb-stitch-<client app
// id> in the database admin, there as long as a data source of the app is on the cluster. The
// cluster lets nobody change one or sign in as one. Thread-safe.
class ClusterUsers {
 public:
  // Null: there is no embedded cluster, and nothing to do.
  explicit ClusterUsers(std::shared_ptr<datasource::DataSource> cluster)
      : cluster_(std::move(cluster)) {}

  // Makes or removes the app's user as its data sources demand.
  Task<void> follow(DeployedAppPtr app) const;
  Task<void> remove(std::string client_app_id) const;

 private:
  Task<bool> exists(std::string name) const;
  Task<void> run(bson::Document command) const;

  std::shared_ptr<datasource::DataSource> cluster_;
};

}  // namespace restitch::deployment
