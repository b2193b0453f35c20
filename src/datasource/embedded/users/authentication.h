#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/users/roles.h"
#include "datasource/embedded/users/scram.h"
#include "runtime/blocking_pool.h"
#include "runtime/task.h"

namespace restitch::datasource::embedded {

struct Operation;
struct Services;

// A stored user (admin.system.users) as it was when it was read.
struct User {
  std::string name, database;
  std::string id;  // userId: another one when the name is given anew
  std::vector<RoleName> roles;
  std::vector<Privilege> privileges;                           // of all roles
  std::array<std::optional<ScramCredentials>, 2> credentials;  // by ScramHash
  std::string session_owner;  // see session_key.h
  std::uint64_t generation = 0;

  std::string full_name() const { return name + "@" + database; }
  const std::optional<ScramCredentials>& of(ScramHash hash) const {
    return credentials[static_cast<std::size_t>(hash)];
  }
};
using UserPtr = std::shared_ptr<const User>;

// Who has signed in on a connection, and the exchange that is under way.
struct Authentication {
  // Whether commands need a user with the rights to run them.
  bool is_required = false;
  std::vector<UserPtr> users;  // at most one for each database

  std::unique_ptr<ScramExchange> exchange;  // between two of its messages
  UserPtr candidate;                        // of the exchange; null when unknown
  std::string exchange_database;
  std::int32_t conversation = 0;  // the number of the exchange
  bool has_proof = false;         // only the empty message is missing
  bool skips_empty_message = false;

  bool is_trusted() const { return !is_required || !users.empty(); }
};

// What all connections share about users.
struct UserState {
  // Grows with every change of a user; what was read before is read anew.
  std::atomic<std::uint64_t> generation{1};
  // Passwords are hashed here, so that many of them do not keep data waiting.
  runtime::BlockingPool hashing{1, 1000};
};

// The collection of users, and its documents' _id.
inline constexpr const char* kUsersDatabase = "admin";
inline constexpr const char* kUsersCollection = "system.users";
std::string user_id(std::string_view database, std::string_view name);

// Whether the user stands for an app: only the server itself makes and removes it, and it has no
// credentials.
bool is_app_user(std::string_view database, std::string_view name);
inline constexpr std::string_view kAppUserPrefix = "mongodb-stitch-";

// The stored document; nothing when there is no such user.
Task<std::optional<bson::Document>> read_user_document(Services& services, std::string database,
                                                       std::string name);
// Null when there is no such user.
Task<UserPtr> read_user(Services& services, std::string database, std::string name);
// Runs a command on the collection of users. Its failure is the Error.
Task<bson::Document> run_on_users(Services& services, bson::Document command);

// Whether a user of the operation's connection may have changed since.
bool has_stale_users(const Operation& operation);
// Reads users again that have changed since they signed in; those that are gone are signed out.
Task<void> refresh_users(Operation& operation);

}  // namespace restitch::datasource::embedded
