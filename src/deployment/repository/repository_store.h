#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "auth/crypto.h"
#include "bson/document.h"
#include "datasource/client.h"
#include "runtime/task.h"

namespace restitch::deployment {

// What came of an app's repository.
struct RepositoryState {
  std::string commit;           // the newest one that was deployed or refused; "" = none yet
  std::string status;           // of that: successful or failed
  std::string error;            // why it was refused
  std::string trouble;          // why the last look could not be made; it will be made again
  std::int64_t checked_at = 0;  // when that was, in seconds; 0 = never
};

// A look at a repository that this node has taken over.
struct RepositoryCheck {
  bson::ObjectId app;
  bson::Document settings;  // member `automatic_deployment` of the deployment settings
  RepositoryState former;
  std::int64_t request = 0;  // number of the newest request for a look
};

struct RepositorySecrets {
  std::string webhook_secret, access_token;  // "" = none
};

// What the state store knows of the apps' repositories (member `repository` of collection `apps`),
// and whose turn it is to look at one: nodes that share a state store take it from each other.
// Thread-safe.
class RepositoryStore {
 public:
  static constexpr const char* kSettings = "deploy_settings";

  // `node` names this node; the same over restarts.
  RepositoryStore(std::shared_ptr<datasource::DataSource> state, auth::SecretBox box,
                  std::string node);

  // One that is due and that no other node looks at; nothing when there is none.
  Task<std::optional<RepositoryCheck>> take_due() const;
  // The next look is due after so many seconds (0 = when one is asked for), or at once when one was
  // asked for meanwhile: then the commit counts as not looked at.
  Task<void> finish(RepositoryCheck check, RepositoryState state, std::int64_t pause_seconds) const;

  // Has it looked at soon. `afresh`: whatever commit was deployed last.
  Task<void> request(bson::ObjectId app, bool afresh) const;
  Task<RepositoryState> state(bson::ObjectId app) const;

  Task<RepositorySecrets> secrets(bson::ObjectId app) const;
  // Nothing leaves one as it is, "" removes it.
  Task<void> put_secrets(bson::ObjectId app, std::optional<std::string> webhook_secret,
                         std::optional<std::string> access_token) const;

 private:
  Task<std::optional<bson::Document>> find(bson::ObjectId app) const;

  std::shared_ptr<datasource::DataSource> state_;
  auth::SecretBox box_;
  std::string node_;
  datasource::Collection apps_;
};

}  // namespace restitch::deployment
