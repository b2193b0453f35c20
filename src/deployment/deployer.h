#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "app/config.h"
#include "auth/auth_service.h"
#include "datasource/change_hub.h"
#include "datasource/clusters.h"
#include "deployment/app_registry.h"
#include "deployment/app_store.h"
#include "deployment/cluster_users.h"
#include "deployment/log_store.h"
#include "functions/dependencies/store.h"
#include "functions/function_service.h"
#include "runtime/blocking_pool.h"
#include "runtime/task.h"

namespace restitch::deployment {

struct DeployerOptions {
  std::string group_id;
  std::string hosting_domain;    // of hosted files' host names; "" = none
  bool strict_clusters = false;  // a cluster name that is not bound is an error
  functions::FunctionService::Options functions;
  functions::DependencySettings dependencies;  // packages of functions
  datasource::ChangeHubs* hubs = nullptr;      // for streams of changes
  std::shared_ptr<datasource::DataSource> embedded;  // the embedded cluster; null = there is none
};

// What a running app is made of.
struct BuildRequest {
  std::shared_ptr<const app::Config> config;
  AppIdentity identity;
  std::string packages;  // folder whose functions/ holds package.json or node_modules; "" = none
  // Starts a worker, so that errors of syntax are findings; without it workers start at the first
  // call. For sources that a former build has checked.
  bool checks_sources = true;
  // Secrets that may be missing although the configuration names them: all, or those that this
  // configuration (of the running app) misses too.
  bool tolerates_missing_secrets = false;
  const app::Config* former = nullptr;
  std::set<std::string> stored_triggers;  // names of those that the app had before
  std::map<std::string, bson::ObjectId> trigger_ids;  // by name
  std::map<std::string, bson::ObjectId> forwarder_ids;  // of log forwarders, by name
};

// Makes running apps of checked configurations. One that does not validate is refused as a whole.
// Thread-safe; builds of one app one at a time.
class Deployer {
 public:
  Deployer(AppRegistry& registry, AppStore& store, LogStore& logs, auth::AuthService& auth,
           datasource::Clusters& clusters, DeployerOptions options);

  // With errors in `findings` the answer is kInvalidArgument, one finding a line.
  Task<DeployedAppPtr> build(BuildRequest request, app::Findings& findings);
  // Lets requests from now on have this app. Its former snapshot ends with the last request that it
  // serves.
  asio::awaitable<void> run(DeployedAppPtr app);
  // Takes an app out.
  asio::awaitable<void> end(DeployedAppPtr app);

  // Called for every app that has just taken the place of its former snapshot, before the deployment
  // ends. Once, before the first deployment.
  void set_on_deployed(std::function<Task<void>(DeployedAppPtr)> on_deployed) {
    on_deployed_ = std::move(on_deployed);
  }
  // Puts the entries in place of the app's IP access list, for requests from now on. kInvalidArgument
  // when one is no address or network, kAppNotFound when no such app runs, kWriteConflict when the
  // stored list is not of that revision.
  Task<void> set_access_list(std::string client_app_id, std::int64_t revision,
                             std::vector<AllowedAddress> entries);
  // Signs tokens with a new key from now on. Tokens under the former keys stay good, so that nobody is
  // logged out, unless these are given up because they are known to others.
  Task<void> rotate_signing_key(std::string client_app_id, bool keep_former);

  // Ends the functions of all apps.
  asio::awaitable<void> stop();

  const std::string& group_id() const { return options_.group_id; }
  // For files of packages.
  runtime::BlockingPool& packages_pool() { return packages_pool_; }

 private:
  Status check_secrets(const BuildRequest& request, const std::map<std::string, std::string>& secrets,
                       app::Findings& findings) const;
  Task<rules::SourceMap> resolve_sources(const app::Config& config,
                                         const std::map<std::string, std::string>& secrets,
                                         const app::Config* former,
                                         app::Findings& findings) const;
  Task<std::shared_ptr<functions::FunctionService>> start_functions(
      const BuildRequest& request, const DeployedApp& app, functions::NameLister list_names,
      app::Findings& findings) const;
  asio::awaitable<void> retire(DeployedAppPtr app) const;

  AppRegistry& registry_;
  AppStore& store_;
  LogStore& logs_;
  auth::AuthService& auth_;
  datasource::Clusters& clusters_;
  DeployerOptions options_;
  ClusterUsers cluster_users_;
  std::function<Task<void>(DeployedAppPtr)> on_deployed_;
  mutable runtime::BlockingPool packages_pool_{1, 64};  // npm and archives
};

// Everything that a deployment of the directory would check, without a server: `restitch check`.
Task<void> check_directory(std::string path, functions::FunctionService::Options options,
                           app::Findings& findings);

// The message of a refused directory: at most 50 lines, then "… and <n> more".
std::string describe(const app::Findings& findings);

}  // namespace restitch::deployment
