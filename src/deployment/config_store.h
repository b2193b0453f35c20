#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasource/client.h"
#include "deployment/stored_config.h"
#include "runtime/task.h"

namespace restitch::deployment {

// The configuration that runs.
struct RunningConfig {
  StoredConfig config;
  std::int64_t revision = 0;  // grows by one with each replacement
};

// Changes that wait for their deployment.
struct Draft {
  bson::ObjectId id, app;
  std::string administrator;
  std::shared_ptr<const StoredConfig> config;
  std::int64_t revision = 0;  // as RunningConfig's; 0 = not stored yet
};

// What tells whether another node has changed an app's configuration or drafts.
struct Revisions {
  std::int64_t running = 0;
  std::map<bson::ObjectId, std::int64_t> drafts;

  bool operator==(const Revisions&) const = default;
};

enum class DeploymentStatus : std::uint8_t { kCreated, kPending, kSuccessful, kFailed };
std::string_view name_of(DeploymentStatus status);

struct Deployment {
  bson::ObjectId id, app;
  std::string name;  // "" = the id
  std::string administrator, origin, commit;
  std::optional<bson::ObjectId> draft;
  std::int64_t deployed_at = 0;  // seconds
  DeploymentStatus status = DeploymentStatus::kSuccessful;
  std::string error;
};

// Configurations, drafts and the history of deployments in the state store. What replaces something
// names the revision that it was made from: kWriteConflict when another node has been faster.
// Thread-safe.
class ConfigStore {
 public:
  static constexpr std::size_t kKeptDeployments = 25;

  // `node` is the mark that this node's announcements carry (announcement.h).
  ConfigStore(std::shared_ptr<datasource::DataSource> state, bson::ObjectId node);

  Task<void> prepare();

  // The configuration that runs; nothing for an app that has none yet.
  Task<std::optional<RunningConfig>> load(bson::ObjectId app) const;
  // Nothing when the app is not stored (any more).
  Task<std::optional<Revisions>> revisions(bson::ObjectId app) const;
  // Replaces the configuration that runs and, with a deployment, notes it with its snapshot: all or
  // nothing. A draft that it came from ends. Deployments beyond the newest ones are forgotten. Other
  // nodes are told. The new revision; `revision` is 0 for an app that has no configuration yet.
  Task<std::int64_t> deploy(bson::ObjectId app, std::int64_t revision,
                            std::shared_ptr<const StoredConfig> config,
                            std::optional<Deployment> deployment) const;
  // A node whose changes keep coming too late asks the others to wait, for some seconds at most.
  Task<void> ask_for_precedence(bson::ObjectId app) const;
  Task<void> give_up_precedence(bson::ObjectId app) const;
  // Whether another node has asked.
  Task<bool> must_wait(bson::ObjectId app) const;

  // Notes a deployment that failed.
  Task<void> note(Deployment deployment, std::shared_ptr<const StoredConfig> config) const;

  Task<std::vector<Draft>> drafts(bson::ObjectId app) const;
  // The new revision.
  Task<std::int64_t> put_draft(Draft draft) const;
  Task<void> remove_draft(bson::ObjectId app, bson::ObjectId id) const;

  Task<std::vector<Deployment>> deployments(bson::ObjectId app) const;  // newest first
  Task<std::optional<Deployment>> deployment(bson::ObjectId app, bson::ObjectId id) const;
  Task<std::optional<StoredConfig>> snapshot(bson::ObjectId app, bson::ObjectId id) const;

 private:
  Task<void> forget_old(bson::ObjectId app) const;

  std::shared_ptr<datasource::DataSource> state_;
  bson::ObjectId node_;
  datasource::Collection apps_, configs_, drafts_, deployments_;
};

}  // namespace restitch::deployment
