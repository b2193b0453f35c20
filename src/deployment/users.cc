#include "deployment/users.h"

namespace restitch::deployment {

rules::User to_rules_user(const auth::CachedUser& user, bson::Document custom_data) {
  return rules::User{user.record.id.to_hex(), user.record.type, user.data, std::move(custom_data),
                     user.identities};
}

Task<rules::User> look_up_user(auth::AuthService& auth, std::shared_ptr<const auth::AppAuth> app,
                               std::string user_id) {
  const auto id = bson::ObjectId::from_hex(user_id);
  if (!id) co_return Error(ErrorCode::kUserNotFound, "user not found");
  RESTITCH_CO_TRY(const auth::CachedUserPtr user, co_await auth.find_user(app->app_id, *id));
  bson::Document custom_data;
  if (app->custom_data) {
    RESTITCH_CO_TRY(auto found, co_await app->custom_data(user_id));
    if (found) custom_data = std::move(*found);
  }
  co_return to_rules_user(*user, std::move(custom_data));
}

}  // namespace restitch::deployment
