#include "auth/auth_service.h"

namespace restitch::auth {

// A device that the client knows by an id keeps it, whatever server gave it. One without is the
// user's device that looks the same, else a new one.
Task<std::string> AuthService::note_device(AppPtr app, bson::ObjectId user_id, Device device) {
  if (!device.is_told()) co_return std::string(kNoDevice);
  if (!device.id) {
    RESTITCH_CO_TRY(device.id, co_await store_.find_device(app->app_id, user_id, device.likeness));
  }
  const bool is_new = !device.id;
  if (is_new) device.id = bson::ObjectId::generate();
  RESTITCH_CO_CHECK(co_await store_.put_device(app->app_id, user_id, device));
  if (is_new) {
    RESTITCH_CO_CHECK(co_await store_.trim_devices(app->app_id, user_id));
  }
  co_return device.id->to_hex();
}

}  // namespace restitch::auth
