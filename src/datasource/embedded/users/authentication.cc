#include "datasource/embedded/users/authentication.h"

#include <algorithm>

#include "datasource/embedded/dispatcher.h"
#include "datasource/embedded/operation.h"
#include "datasource/embedded/services.h"
#include "datasource/embedded/session_key.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::View;

std::shared_ptr<User> user_from(View document) {
  auto user = std::make_shared<User>();
  user->name = std::string(document["user"].as_string().value_or(""));
  user->database = std::string(document["db"].as_string().value_or(""));
  user->session_owner = session_owner(user->full_name());
  const bson::ValueView id = document["userId"];
  if (id.type() == bson::Type::kBinary) user->id = std::string(id.get_binary().bytes);
  const View roles = document["roles"].as_array().value_or(View());
  for (const bson::Element& element : roles) {
    const auto role = element.value.as_object();
    if (!role) continue;
    RoleName name{std::string((*role)["role"].as_string().value_or("")),
                  std::string((*role)["db"].as_string().value_or(""))};
    if (auto privileges = privileges_of(name)) {
      user->privileges.insert(user->privileges.end(), privileges->begin(), privileges->end());
    }
    user->roles.push_back(std::move(name));
  }
  const View credentials = document["credentials"].as_object().value_or(View());
  for (const ScramHash hash : {ScramHash::kSha1, ScramHash::kSha256}) {
    if (const auto stored = credentials[mechanism_of(hash)].as_object()) {
      user->credentials[static_cast<std::size_t>(hash)] = ScramCredentials::from_document(*stored);
    }
  }
  return user;
}

}  // namespace

std::string user_id(std::string_view database, std::string_view name) {
  return std::string(database) + "." + std::string(name);
}

bool is_app_user(std::string_view database, std::string_view name) {
  return database == kUsersDatabase && name.starts_with(kAppUserPrefix);
}

Task<Document> run_on_users(Services& services, Document command) {
  CommandRequest request;
  request.database = kUsersDatabase;
  request.command = std::move(command);
  request.may_write_system_collections = true;
  RESTITCH_CO_TRY(Document reply, co_await dispatch(services, std::move(request)));
  if (auto error = error_of_reply(reply)) co_return std::move(*error);
  co_return reply;
}

Task<std::optional<Document>> read_user_document(Services& services, std::string database,
                                                 std::string name) {
  Builder find;
  find.append("find", kUsersCollection);
  find.open_object("filter").append("_id", user_id(database, name)).close();
  find.append("limit", std::int32_t{1}).append("singleBatch", true);
  Document command = std::move(find).finish();
  RESTITCH_CO_TRY(const Document reply, co_await run_on_users(services, std::move(command)));
  const View batch = reply.view().find_path("cursor.firstBatch").as_array().value_or(View());
  if (batch.empty()) co_return std::optional<Document>();
  const bson::Element first = *batch.begin();
  co_return std::optional<Document>(Document(first.value.get_document()));
}

Task<UserPtr> read_user(Services& services, std::string database, std::string name) {
  // Before the reading: a change meanwhile makes the user stale.
  const std::uint64_t generation = services.users.generation.load();
  RESTITCH_CO_TRY(const auto document,
                  co_await read_user_document(services, std::move(database), std::move(name)));
  if (!document) co_return UserPtr();
  auto user = user_from(*document);
  user->generation = generation;
  co_return UserPtr(std::move(user));
}

bool has_stale_users(const Operation& operation) {
  if (!operation.caller || !operation.caller->authentication) return false;
  const std::uint64_t generation = operation.services.users.generation.load();
  const auto& users = operation.caller->authentication->users;
  return std::any_of(users.begin(), users.end(),
                     [&](const UserPtr& user) { return user->generation < generation; });
}

Task<void> refresh_users(Operation& operation) {
  Authentication& authentication = *operation.caller->authentication;
  const std::uint64_t generation = operation.services.users.generation.load();
  std::vector<UserPtr> present;
  for (const UserPtr& known : authentication.users) {
    UserPtr user = known;
    if (known->generation < generation) {
      RESTITCH_CO_TRY(user, co_await read_user(operation.services, known->database, known->name));
    }
    if (user && user->id == known->id) present.push_back(std::move(user));
  }
  authentication.users = std::move(present);
  co_return Status();
}

}  // namespace restitch::datasource::embedded
