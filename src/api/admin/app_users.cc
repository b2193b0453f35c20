#include "api/admin/app_users.h"

#include <utility>

#include "deployment/users.h"

namespace restitch::api::admin {

Task<rules::User> find_app_user(AdminApi& api, const deployment::DeployedApp& app,
                                std::string user_id) {
  const auto id = bson::ObjectId::from_hex(user_id);
  if (!id) co_return Error(ErrorCode::kUserNotFound, "user not found");
  RESTITCH_CO_TRY(const auth::CachedUserPtr user,
                  co_await api.auth().find_user(app.auth->app_id, *id));
  bson::Document custom_data;
  if (app.auth->custom_data) {
    RESTITCH_CO_TRY(auto found, co_await app.auth->custom_data(user_id));
    if (found) custom_data = std::move(*found);
  }
  co_return deployment::to_rules_user(*user, std::move(custom_data));
}

}  // namespace restitch::api::admin
