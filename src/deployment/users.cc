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

Task<bson::Value> look_up_devices(auth::AuthService& auth, bson::ObjectId app_id,
                                  std::string service, std::vector<std::string> user_ids) {
  std::vector<bson::ObjectId> ids;
  for (const std::string& user_id : user_ids) {
    if (const auto id = bson::ObjectId::from_hex(user_id)) ids.push_back(*id);
  }
  RESTITCH_CO_TRY(const auto registrations,
                  co_await auth.push_registrations().of_users(app_id, std::move(service),
                                                              std::move(ids)));
  bson::Builder devices;
  for (const auth::PushRegistration& one : registrations) {
    devices.push_object().append("userId", one.user_id.to_hex());
    devices.append("deviceId", one.device_id).append("registrationToken", one.token).close();
  }
  co_return bson::Value::array(std::move(devices).finish());
}

}  // namespace restitch::deployment
