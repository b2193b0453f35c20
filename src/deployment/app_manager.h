#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "app/writing/files.h"
#include "deployment/app_store.h"
#include "deployment/config_store.h"
#include "deployment/deployer.h"
#include "deployment/file_store.h"
#include "deployment/turns.h"

namespace restitch::deployment {

// Who changes an app.
struct Actor {
  std::string administrator;  // user id
  std::string origin;         // UI, CLI, API, GITHUB
  std::string commit = {};    // of a repository that the change comes from
};

// Changes a copy of the configuration; an error leaves everything as it was.
using ConfigEdit = std::function<Status(StoredConfig&)>;

using AccessListEdit = std::function<Status(std::vector<AllowedAddress>&)>;

// An app of this server, running or not. Thread-safe.
class ManagedApp {
 public:
  explicit ManagedApp(AppIdentity identity) : identity_(std::move(identity)) {}

  const AppIdentity& identity() const { return identity_; }
  std::int64_t modified() const;
  // What the administrator sees: the open draft, else what is deployed.
  std::shared_ptr<const StoredConfig> config_for(const std::string& administrator) const;
  std::shared_ptr<const StoredConfig> deployed() const;
  std::optional<Draft> draft_of(const std::string& administrator) const;
  bool has_draft() const;  // anybody's

 private:
  friend class AppManager;

  AppIdentity identity_;
  Turns turns_;  // of changes
  mutable std::mutex mutex_;
  std::shared_ptr<const StoredConfig> config_ = std::make_shared<const StoredConfig>();
  std::int64_t revision_ = 0;  // of config_
  std::vector<Draft> drafts_;
  std::string packages_;  // where its packages are (app_packages.cc); "" = it has none
  std::int64_t modified_ = 0;
};
using ManagedAppPtr = std::shared_ptr<ManagedApp>;

// The apps of the server and their configurations: creation, changes, drafts, deployments and their
// history (spec: admin-api §4, §13, app-config §16). Every change is checked as a directory is, and
// either is stored and runs, or leaves everything as it was. Changes of one app happen one after
// another, on nodes that share a state store too: a change that another node was faster with is
// made anew on what that node left. Requests of users go on meanwhile. Thread-safe.
class AppManager {
 public:
  // `uploads` is the folder where packages of functions that administrators sent are unpacked.
  // `shares_state`: other nodes may change what is stored.
  AppManager(AppRegistry& registry, AppStore& apps, ConfigStore& configs, FileStore& files,
             Deployer& deployer, std::string uploads, bool shares_state);

  // Runs the apps as they are stored, and ends those that are not stored any more: first of all,
  // and when it is not known what other nodes have changed.
  Task<void> load_all();
  // The same for one app, which another node has changed.
  Task<void> load(bson::ObjectId id);

  // The client app id. The directory replaces what the app had; the app's users and secrets stay.
  Task<std::string> deploy_directory(std::string path, app::Findings& findings);

  // With what `initial` makes of the configuration of a new app; no deployment is noted.
  Task<ManagedAppPtr> create(NewApp app, ConfigEdit initial, app::Findings& findings);
  Task<void> remove(ManagedAppPtr app);
  std::vector<ManagedAppPtr> apps() const;  // oldest first
  ManagedAppPtr find(std::string_view hex) const;
  // The app as the store has it now, whichever node has changed it. Null when there is none.
  Task<ManagedAppPtr> find_current(std::string hex);
  // Null while it does not run.
  DeployedAppPtr running(const ManagedApp& app) const;

  // Puts a commit's files in the place of what the app has. One that does not validate
  // (kInvalidArgument) is noted as a failed deployment.
  Task<void> deploy_commit(ManagedAppPtr app, Actor actor, app::Tree tree,
                           app::Findings& findings);
  // Notes that a commit was refused.
  Task<void> note_failure(ManagedAppPtr app, Actor actor, std::string reason);

  // In the administrator's draft while one is open, else deployed at once.
  Task<void> edit(ManagedAppPtr app, Actor actor, ConfigEdit edit, app::Findings& findings);
  // Builds the running app anew: secrets or dependencies have changed.
  Task<void> rebuild(ManagedAppPtr app);
  // Changes the IP access list as it is stored now; again when another node was faster.
  Task<void> edit_access_list(ManagedAppPtr app, AccessListEdit edit);
  Task<void> rename_secret(ManagedAppPtr app, Actor actor, std::string from, std::string to);

  // `document` is plain JSON (spec: app-config §2).
  Task<void> import(ManagedAppPtr app, Actor actor, bson::Document document,
                    ImportStrategy strategy, app::Findings& findings);
  // What the import would change: a unified diff for each file.
  Task<std::vector<std::string>> diff_import(ManagedAppPtr app, Actor actor,
                                             bson::Document document, ImportStrategy strategy,
                                             app::Findings& findings);
  // The same for the draft against what is deployed.
  std::vector<std::string> diff_draft(const ManagedApp& app, const Draft& draft) const;

  // kDuplicateKey when the administrator has one already.
  Task<Draft> create_draft(ManagedAppPtr app, Actor actor);
  Task<void> discard_draft(ManagedAppPtr app, bson::ObjectId id);
  Task<Deployment> deploy_draft(ManagedAppPtr app, Actor actor, bson::ObjectId id,
                                std::string name);
  // A new deployment of an earlier one's configuration.
  Task<Deployment> redeploy(ManagedAppPtr app, Actor actor, bson::ObjectId id);

  // Keeps a package.json or an archive of node_modules, and goes on to install it; how that ends is
  // in the app's member `dependencies`. `list` names the packages.
  Task<void> put_packages(ManagedAppPtr app, Actor actor, std::string name, std::string content,
                          bson::Value list);
  Task<std::string> read_packages(ManagedAppPtr app, std::string name);

  ConfigStore& history() { return configs_; }
  AppStore& store() { return apps_; }
  const std::string& group_id() const { return deployer_.group_id(); }

 private:
  struct Prepared {
    StoredConfig config;
    std::map<std::string, std::string> secrets;
  };

  std::string packages_of(const ManagedApp& app) const;
  Task<std::string> packages_folder(ManagedAppPtr app);
  asio::awaitable<void> install_packages(ManagedAppPtr app, Actor actor, std::string name,
                                         bson::Value list);
  ManagedAppPtr keep(AppIdentity identity);
  Task<void> load_stored(AppIdentity identity);
  // `change` (a callable giving a Task<T>) alone, and again when another node was faster.
  template <typename F>
  std::invoke_result_t<F&> in_turn(ManagedAppPtr app, F change);
  Task<void> let_others_pass(ManagedAppPtr app);
  Task<void> after_loss(ManagedAppPtr app, int attempt);
  // In the app's turn: all of what is stored of it, and running that.
  Task<void> read_stored(ManagedAppPtr app);
  Task<void> reload(ManagedAppPtr app);
  Task<void> forget(ManagedAppPtr app);
  bool is_current(const ManagedApp& app, const Revisions& stored) const;
  Task<std::map<std::string, std::string>> secret_names_by_id(bson::ObjectId app);
  Task<Prepared> prepare_import(ManagedAppPtr app, const StoredConfig& base,
                                bson::Document document, ImportStrategy strategy,
                                app::Findings& findings);
  Task<void> apply(ManagedAppPtr app, const Actor& actor, StoredConfig changed,
                   std::map<std::string, std::string> secrets, app::Findings& findings);
  // Builds, stores and runs it.
  Task<void> deploy(ManagedAppPtr app, std::shared_ptr<const StoredConfig> config,
                    Deployment deployment, bool checks_sources, app::Findings& findings);
  Task<DeployedAppPtr> build(ManagedAppPtr app, const StoredConfig& config, bool checks_sources,
                             bool tolerates_missing_secrets, app::Findings& findings);
  Task<void> deploy_tree(ManagedAppPtr app, std::string root, app::Tree tree,
                         std::shared_ptr<const app::Config> config, app::Findings& findings);
  Task<StoredConfig> stored_form(ManagedAppPtr app, app::Tree tree, const app::Config& config);
  Task<void> store_directory(ManagedAppPtr app, std::string root, StoredConfig next);

  AppRegistry& registry_;
  AppStore& apps_;
  ConfigStore& configs_;
  FileStore& files_;
  Deployer& deployer_;
  std::string uploads_;
  bool shares_state_;
  mutable std::mutex mutex_;
  std::map<bson::ObjectId, ManagedAppPtr> by_id_;
};

template <typename F>
std::invoke_result_t<F&> AppManager::in_turn(ManagedAppPtr app, F change) {
  constexpr int kAttempts = 20;
  auto turn = co_await app->turns_.take();
  for (int attempt = 1;; ++attempt) {
    RESTITCH_CO_CHECK(co_await let_others_pass(app));
    auto result = co_await change();
    const bool was_late = !result && result.error().code() == ErrorCode::kWriteConflict;
    if (!was_late || attempt == kAttempts) {
      if (attempt > 1) {
        RESTITCH_CO_CHECK(co_await configs_.give_up_precedence(app->identity().id));
      }
      co_return result;
    }
    RESTITCH_CO_CHECK(co_await after_loss(app, attempt));
  }
}

}  // namespace restitch::deployment
