#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "deployment/deployed_app.h"

namespace restitch::deployment {

// The running apps. Look-ups take no lock; a deployment swaps one pointer. Thread-safe.
class AppRegistry {
 public:
  AppRegistry();

  DeployedAppPtr find(std::string_view client_app_id) const;
  DeployedAppPtr find_by_domain(const bson::ObjectId& domain_id) const;
  // The app with that custom domain for its hosted files; of several, the first by client app id.
  DeployedAppPtr find_by_custom_domain(std::string_view domain) const;
  std::vector<DeployedAppPtr> all() const;

  // Puts the app in place of its former snapshot, which is returned (null if it is new).
  DeployedAppPtr replace(DeployedAppPtr app);
  void remove(std::string_view client_app_id);

 private:
  struct Table {
    std::map<std::string, DeployedAppPtr, std::less<>> by_client_id;
    std::map<bson::ObjectId, DeployedAppPtr> by_domain;
    std::map<std::string, DeployedAppPtr, std::less<>> by_custom_domain;

    void find_custom_domains();
  };

  std::atomic<std::shared_ptr<const Table>> table_;
  std::mutex writers_;
};

}  // namespace restitch::deployment
