#include "deployment/cluster_users.h"

#include <algorithm>
#include <utility>

namespace restitch::deployment {
namespace {

constexpr int kUserNotFound = 11;

std::string name_of(const std::string& client_app_id) { return "mongodb-stitch-" + client_app_id; }

}  // namespace

Task<void> ClusterUsers::follow(DeployedAppPtr app) const {
  if (cluster_ == nullptr) co_return Status();
  const bool is_linked =
      std::any_of(app->sources.begin(), app->sources.end(),
                  [this](const auto& source) { return source.second == cluster_; });
  if (!is_linked) co_return co_await remove(app->client_app_id);
  const std::string name = name_of(app->client_app_id);
  RESTITCH_CO_TRY(const bool is_there, co_await exists(name));
  if (is_there) co_return Status();
  bson::Builder create;
  create.append("createUser", name).open_array("roles").close();
  bson::Document command = std::move(create).finish();
  co_return co_await run(std::move(command));
}

Task<void> ClusterUsers::remove(std::string client_app_id) const {
  if (cluster_ == nullptr) co_return Status();
  bson::Document command = bson::make_document("dropUser", name_of(client_app_id));
  auto dropped = co_await run(std::move(command));
  const bool was_there = dropped || dropped.error().mongo_code() != kUserNotFound;
  if (was_there) co_return dropped;
  co_return Status();
}

Task<bool> ClusterUsers::exists(std::string name) const {
  bson::Document command = bson::make_document("usersInfo", name);
  RESTITCH_CO_TRY(const bson::Document reply, co_await cluster_->run("admin", std::move(command)));
  if (auto error = datasource::error_of_reply(reply)) co_return std::move(*error);
  const auto users = reply["users"].as_array();
  co_return users && !users->empty();
}

Task<void> ClusterUsers::run(bson::Document command) const {
  RESTITCH_CO_TRY(const bson::Document reply, co_await cluster_->run("admin", std::move(command)));
  if (auto error = datasource::error_of_reply(reply)) co_return std::move(*error);
  co_return Status();
}

}  // namespace restitch::deployment
