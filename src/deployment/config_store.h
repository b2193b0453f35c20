#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datasource/client.h"
#include "deployment/stored_config.h"
#include "runtime/task.h"

namespace restitch::deployment {

// Changes that wait for their deployment.
struct Draft {
  bson::ObjectId id, app;
  std::string administrator;
  std::shared_ptr<const StoredConfig> config;
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

// Configurations, drafts and the history of deployments in the state store. Thread-safe.
class ConfigStore {
 public:
  static constexpr std::size_t kKeptDeployments = 25;

  explicit ConfigStore(std::shared_ptr<datasource::DataSource> state);

  Task<void> prepare();

  // The configuration that runs; nothing for an app that has none yet.
  Task<std::optional<StoredConfig>> load(bson::ObjectId app) const;
  // Replaces the configuration that runs and, with a deployment, notes it with its snapshot: all or
  // nothing. A draft that it came from ends. Deployments beyond the newest ones are forgotten.
  Task<void> deploy(bson::ObjectId app, std::shared_ptr<const StoredConfig> config,
                    std::optional<Deployment> deployment) const;
  // Notes a deployment that failed.
  Task<void> note(Deployment deployment, std::shared_ptr<const StoredConfig> config) const;

  Task<std::vector<Draft>> drafts(bson::ObjectId app) const;
  Task<void> put_draft(Draft draft) const;
  Task<void> remove_draft(bson::ObjectId app, bson::ObjectId id) const;

  Task<std::vector<Deployment>> deployments(bson::ObjectId app) const;  // newest first
  Task<std::optional<Deployment>> deployment(bson::ObjectId app, bson::ObjectId id) const;
  Task<std::optional<StoredConfig>> snapshot(bson::ObjectId app, bson::ObjectId id) const;

 private:
  Task<void> forget_old(bson::ObjectId app) const;

  std::shared_ptr<datasource::DataSource> state_;
  datasource::Collection configs_, drafts_, deployments_;
};

}  // namespace restitch::deployment
