#include "deployment/app_registry.h"

namespace restitch::deployment {

AppRegistry::AppRegistry() : table_(std::make_shared<const Table>()) {}

DeployedAppPtr AppRegistry::find(std::string_view client_app_id) const {
  const auto table = table_.load();
  const auto found = table->by_client_id.find(client_app_id);
  return found == table->by_client_id.end() ? nullptr : found->second;
}

DeployedAppPtr AppRegistry::find_by_domain(const bson::ObjectId& domain_id) const {
  const auto table = table_.load();
  const auto found = table->by_domain.find(domain_id);
  return found == table->by_domain.end() ? nullptr : found->second;
}

DeployedAppPtr AppRegistry::find_by_custom_domain(std::string_view domain) const {
  const auto table = table_.load();
  const auto found = table->by_custom_domain.find(domain);
  return found == table->by_custom_domain.end() ? nullptr : found->second;
}

void AppRegistry::Table::find_custom_domains() {
  by_custom_domain.clear();
  for (const auto& [id, app] : by_client_id) {
    if (!app->hosting.custom_domain.empty()) by_custom_domain.emplace(app->hosting.custom_domain, app);
  }
}

std::vector<DeployedAppPtr> AppRegistry::all() const {
  const auto table = table_.load();
  std::vector<DeployedAppPtr> apps;
  for (const auto& [id, app] : table->by_client_id) apps.push_back(app);
  return apps;
}

DeployedAppPtr AppRegistry::replace(DeployedAppPtr app) {
  const std::lock_guard lock(writers_);
  auto next = std::make_shared<Table>(*table_.load());
  DeployedAppPtr former;
  if (const auto found = next->by_client_id.find(app->client_app_id);
      found != next->by_client_id.end()) {
    former = found->second;
  }
  next->by_client_id[app->client_app_id] = app;
  next->by_domain[app->auth->realm.domain_id] = app;
  next->find_custom_domains();
  table_.store(std::move(next));
  return former;
}

void AppRegistry::remove(std::string_view client_app_id) {
  const std::lock_guard lock(writers_);
  auto next = std::make_shared<Table>(*table_.load());
  const auto found = next->by_client_id.find(client_app_id);
  if (found == next->by_client_id.end()) return;
  next->by_domain.erase(found->second->auth->realm.domain_id);
  next->by_client_id.erase(found);
  next->find_custom_domains();
  table_.store(std::move(next));
}

}  // namespace restitch::deployment
