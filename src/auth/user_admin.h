#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/auth_service.h"
#include "datasource/client.h"
#include "runtime/task.h"

namespace restitch::auth {

struct UserQuery {
  std::optional<bson::ObjectId> after;
  bool descending = false;
  std::optional<bool> disabled;
  std::vector<std::string> provider_types;  // any of them; none: all
};

// What administrators do with the users, e-mail logins and server API keys of an app (spec:
// admin-api §9). Thread-safe.
class UserAdmin {
 public:
  static constexpr std::int64_t kPageSize = 50;
  static constexpr std::size_t kMaxServerKeys = 100;

  UserAdmin(std::shared_ptr<datasource::DataSource> state, AuthService& auth);

  Task<std::vector<UserRecord>> list(bson::ObjectId app, UserQuery query) const;
  // kUserNotFound when there is none.
  Task<UserRecord> find(bson::ObjectId app, bson::ObjectId user) const;
  // A confirmed e-mail login with its user. kAccountNameInUse.
  Task<UserRecord> create(std::shared_ptr<const AppAuth> app, std::string email,
                          std::string password) const;
  Task<void> set_disabled(bson::ObjectId app, bson::ObjectId user, bool disabled) const;
  // Ends all sessions: tokens issued until now are void when it returns.
  Task<void> revoke_sessions(bson::ObjectId app, bson::ObjectId user) const;
  Task<void> remove(std::shared_ptr<const AppAuth> app, bson::ObjectId user) const;
  Task<void> set_email(std::shared_ptr<const AppAuth> app, bson::ObjectId user,
                       std::string email) const;

  // As they are stored.
  Task<std::vector<bson::Document>> devices(bson::ObjectId app, bson::ObjectId user) const;

  Task<std::vector<PasswordLogin>> pending(bson::ObjectId app,
                                           std::optional<bson::ObjectId> after) const;
  Task<void> confirm(bson::ObjectId app, std::string email) const;
  Task<void> remove_pending(bson::ObjectId app, std::string email) const;

  Task<std::vector<ApiKey>> server_keys(bson::ObjectId app) const;
  // kApiKeyNotFound when there is none.
  Task<ApiKey> server_key(bson::ObjectId app, std::string id) const;
  // With the user that it signs in.
  Task<CreatedApiKey> create_server_key(std::shared_ptr<const AppAuth> app, std::string name) const;
  Task<void> remove_server_key(bson::ObjectId app, std::string id) const;
  Task<void> set_server_key_disabled(bson::ObjectId app, std::string id, bool disabled) const;

 private:
  // kUserNotFound when there is no such e-mail, kUserAlreadyConfirmed.
  Task<PasswordLogin> pending_login(bson::ObjectId app, std::string email) const;

  AuthService& auth_;
  std::shared_ptr<datasource::DataSource> state_;
  datasource::Collection users_, logins_, sessions_, api_keys_, devices_;
};

}  // namespace restitch::auth
