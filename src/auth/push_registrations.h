#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bson/document.h"
#include "datasource/client.h"
#include "runtime/task.h"

namespace restitch::auth {

// A device of a user with one push service of an app (collection `push_registrations`).
struct PushRegistration {
  bson::ObjectId user_id;
  std::string device_id;  // kNoDevice when the client told none
  std::string token;      // by which the push service knows the device
};

// Which devices get push messages (spec: client-api §14): one registration for each user, device
// and service; of a user with more than 50, those renewed last stay. Thread-safe.
class PushRegistrations {
 public:
  static constexpr std::size_t kMostTokenBytes = 4096;

  explicit PushRegistrations(datasource::DataSource& state);

  // Creates the index. Once, before anything else.
  Task<void> prepare() const;

  // Replaces the registration of the device. kInvalidArgument when the token is empty or too long.
  Task<void> put(bson::ObjectId app_id, std::string service, PushRegistration registration) const;
  // Whether there was one or not.
  Task<void> remove(bson::ObjectId app_id, std::string service, bson::ObjectId user_id,
                    std::string device_id) const;
  Task<std::vector<PushRegistration>> of_users(bson::ObjectId app_id, std::string service,
                                               std::vector<bson::ObjectId> user_ids) const;

 private:
  Task<void> trim(const bson::Document& user) const;

  datasource::Collection registrations_;
};

}  // namespace restitch::auth
