#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth/device.h"
#include "auth/user.h"
#include "datasource/client.h"
#include "runtime/task.h"

namespace restitch::auth {

// Database of the state store that holds everything of the server itself.
inline constexpr std::string_view kStateDatabase = "__restitch";

struct Session {
  bson::ObjectId id;
  bson::ObjectId app_id, user_id;
  std::string device_id;
  std::string provider_type;
  std::optional<bson::ObjectId> api_key_id;  // the key that opened it
  bson::Date created, expires;
};

// An e-mail/password login (collection `logins`). It gets a user at its first sign-in.
struct PasswordLogin {
  bson::ObjectId id;
  bson::ObjectId app_id;
  std::string email;
  std::string password_hash;
  bool confirmed = false;
  std::optional<bson::ObjectId> user_id;
};

// A one-time token for an e-mail login (collection `userpass_tokens`); it ends by itself.
struct UserpassToken {
  enum class Purpose : std::uint8_t { kConfirm, kReset };

  bson::ObjectId id;
  bson::ObjectId app_id, login_id;
  Purpose purpose = Purpose::kConfirm;
  std::string token_hash;  // SHA-256, 32 bytes
  bson::Date expires;
};

struct ApiKey {
  bson::ObjectId id;
  bson::ObjectId app_id;
  std::optional<bson::ObjectId> user_id;     // nothing for a server key
  std::string name;
  std::string key_hash;                      // SHA-256 of the key, 32 bytes
  bool disabled = false;
};

// Users, logins, sessions and API keys in the state store, through the inner interface. Duplicates give
// kDuplicateKey. Thread-safe.
class AuthStore {
 public:
  explicit AuthStore(std::shared_ptr<datasource::DataSource> state);

  // Creates the collections' indexes. Once, before anything else.
  Task<void> prepare();

  Task<std::optional<UserRecord>> find_user(bson::ObjectId app_id, bson::ObjectId user_id) const;
  Task<std::optional<UserRecord>> find_user_by_identity(bson::ObjectId app_id, std::string provider_type,
                                                        std::string identity_id) const;
  // `events` are stored in `trigger_events` with the change, both or neither; here and below.
  Task<void> insert_user(UserRecord user, std::vector<bson::Document> events = {}) const;
  // The user and the login's reference to it, both or neither.
  Task<void> insert_user_of_login(UserRecord user, bson::ObjectId login_id,
                                  std::vector<bson::Document> events = {}) const;
  // The user with logins that refer to it, all or nothing.
  Task<void> import_user(UserRecord user, std::vector<PasswordLogin> logins) const;
  // Appends the identity; kDuplicateKey if another user has it.
  Task<void> add_identity(bson::ObjectId user_id, Identity identity,
                          std::vector<bson::Document> events = {}) const;
  // Replaces the metadata of an identity that the user has.
  Task<void> set_identity_data(bson::ObjectId user_id, Identity identity) const;
  Task<void> touch_user(bson::ObjectId user_id, bson::Date now) const;
  // Removes the user with logins, keys, sessions and push registrations, all or nothing.
  Task<void> delete_user(bson::ObjectId app_id, bson::ObjectId user_id,
                         std::vector<bson::Document> events = {}) const;

  Task<std::optional<PasswordLogin>> find_login(bson::ObjectId app_id, std::string email) const;
  Task<void> insert_login(PasswordLogin login) const;
  // Gives the login to a user that exists already, with the identity: both or neither.
  Task<void> link_login(bson::ObjectId login_id, bson::ObjectId user_id, Identity identity,
                        std::vector<bson::Document> events = {}) const;

  Task<void> confirm_login(bson::ObjectId login_id) const;
  Task<void> delete_login(bson::ObjectId login_id) const;
  // Replaces the password and, when the login has a user, voids the tokens issued to it before `now`: both or neither.
  Task<void> set_password(PasswordLogin login, std::string password_hash, bson::Date now) const;

  // Unless the hash is another one by now.
  Task<void> replace_password_hash(bson::ObjectId login_id, std::string former, std::string fresh) const;

  Task<void> insert_token(UserpassToken token) const;
  // Takes the token out, so that it is used once: nothing when there is none like it that has not expired.
  Task<std::optional<PasswordLogin>> take_token(UserpassToken token, bson::Date now) const;

  // The user's devices (collection `devices`), by likeness; at most 50 of each user stay, the ones
  // seen last.
  Task<std::optional<bson::ObjectId>> find_device(bson::ObjectId app_id, bson::ObjectId user_id,
                                                  std::string likeness) const;
  Task<void> put_device(bson::ObjectId app_id, bson::ObjectId user_id, Device device) const;
  Task<void> trim_devices(bson::ObjectId app_id, bson::ObjectId user_id) const;

  // Users with no identity but one anonymous who have not signed in or refreshed a token since
  // `before`: at most `limit`.
  Task<std::vector<bson::ObjectId>> find_idle_anonymous(bson::ObjectId app_id, bson::Date before,
                                                        std::int64_t limit) const;
  // Notes a sign of life between sign-ins.
  Task<void> note_activity(bson::ObjectId user_id, bson::Date now) const;

  Task<void> insert_session(Session session, std::vector<bson::Document> events = {}) const;
  Task<std::optional<Session>> find_session(bson::ObjectId app_id, bson::ObjectId session_id) const;
  // Those that the user's API key opened.
  Task<void> delete_sessions_of_key(bson::ObjectId user_id, bson::ObjectId key_id) const;
  // Whether there was one.
  Task<bool> delete_session(bson::ObjectId app_id, bson::ObjectId session_id,
                            std::vector<bson::Document> events = {}) const;

  Task<void> insert_api_key(ApiKey key) const;
  Task<std::optional<ApiKey>> find_api_key_by_hash(bson::ObjectId app_id, std::string key_hash) const;
  Task<std::optional<ApiKey>> find_api_key(bson::ObjectId app_id, bson::ObjectId user_id, bson::ObjectId key_id) const;
  Task<std::vector<ApiKey>> list_api_keys(bson::ObjectId app_id, bson::ObjectId user_id) const;
  Task<bool> delete_api_key(bson::ObjectId app_id, bson::ObjectId user_id, bson::ObjectId key_id) const;
  Task<bool> set_api_key_disabled(bson::ObjectId app_id, bson::ObjectId user_id, bson::ObjectId key_id,
                                  bool disabled) const;

 private:
  // Runs `write`, a callable taking CallOptions and giving a Task<void>, in one transaction with the events.
  template <typename F>
  Task<void> write_with(std::vector<bson::Document> events, F write) const;

  std::shared_ptr<datasource::DataSource> state_;
  datasource::Collection trigger_events_;
  datasource::Collection users_, logins_, tokens_, sessions_, api_keys_, devices_,
      push_registrations_;
};

}  // namespace restitch::auth
