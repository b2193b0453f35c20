#include <set>

#include "datasource/embedded/catalog.h"
#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"
#include "datasource/embedded/users/authentication.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using bson::ValueView;
using bson::View;

using Reply = asio::awaitable<Result<Document>>;

constexpr int kUserNotFound = 11;
constexpr int kRoleNotFound = 31;
constexpr int kUserExists = 51003;
constexpr std::string_view kExternal = "$external";

Error bad_value(std::string text) { return mongo_error(code::kBadValue, std::move(text)); }

// ---- fields

// Of a user that the command makes, changes or removes.
Result<std::string> user_name(const Operation& operation) {
  const std::string_view field = operation.command.view().begin()->name;
  RESTITCH_TRY(const std::string_view name, operation.fields().required_string(field));
  if (name.empty()) return bad_value("User document needs 'user' field to be non-empty");
  if (operation.caller && is_app_user(operation.database, name)) {
    return bad_value("User \"" + std::string(name) + "@" + operation.database +
                     "\" stands for an app: it is made and removed with the app");
  }
  return std::string(name);
}

Result<RoleName> role_from(const Operation& operation, ValueView value) {
  if (const auto name = value.as_string()) return RoleName{std::string(*name), operation.database};
  const auto object = value.as_object();
  if (!object) return bad_value("Role names must be either strings or objects");
  for (const char* field : {"role", "db"}) {
    if ((*object)[field].is_missing()) {
      return mongo_error(4, std::string("Missing expected field \"") + field + "\"");
    }
    if (!(*object)[field].as_string()) {
      return bad_value(std::string("\"") + field +
                       "\" had the wrong type. Expected string, found " +
                       std::string(bson::alias_of((*object)[field].type())));
    }
  }
  return RoleName{std::string((*object)["role"].get_string()),
                  std::string((*object)["db"].get_string())};
}

// An array of {role, db}. Every role must exist.
Result<Document> roles_from(const Operation& operation) {
  const ValueView value = operation.command["roles"];
  if (value.type() == bson::Type::kNull) {
    return mongo_error(10065, "invalid parameter: expected an object (roles)");
  }
  RESTITCH_TRY(const View list, operation.fields().required_array("roles"));
  Builder roles;
  roles.open_array("roles");
  for (const bson::Element& element : list) {
    RESTITCH_TRY(const RoleName role, role_from(operation, element.value));
    if (!privileges_of(role)) {
      return mongo_error(kRoleNotFound, "Could not find role: " + role.role + "@" + role.database);
    }
    roles.push_object().append("role", role.role).append("db", role.database).close();
  }
  roles.close();
  return std::move(roles).finish();
}

// Nothing when the field is absent.
Result<std::optional<std::vector<ScramHash>>> mechanisms_from(const Operation& operation) {
  if (operation.command["mechanisms"].is_missing()) {
    return std::optional<std::vector<ScramHash>>();
  }
  RESTITCH_TRY(const View list, operation.fields().required_array("mechanisms"));
  std::vector<ScramHash> hashes;
  for (const bson::Element& element : list) {
    const std::string name(element.value.as_string().value_or(""));
    const auto hash = scram_hash_of(name);
    if (!hash) return bad_value("Unknown auth mechanism '" + name + "'");
    hashes.push_back(*hash);
  }
  if (hashes.empty()) return bad_value("mechanisms field must not be empty");
  return std::optional(std::move(hashes));
}

const std::vector<ScramHash>& all_hashes() {
  static const std::vector<ScramHash> kAll{ScramHash::kSha1, ScramHash::kSha256};
  return kAll;
}

Task<Document> hashed_credentials(Services& services, std::string name, std::string password,
                                  std::vector<ScramHash> hashes) {
  const auto work = [name, password, hashes]() -> Result<Document> {
    Builder credentials;
    for (const ScramHash hash : hashes) {
      RESTITCH_TRY(const ScramCredentials made, make_credentials(hash, name, password));
      credentials.append(mechanism_of(hash), made.to_document());
    }
    return std::move(credentials).finish();
  };
  auto made = co_await services.users.hashing.run(work);
  co_return made;
}

// The document `credentials` of a user: from `pwd`, or that of an external user. Users of apps have
// none.
Task<Document> new_credentials(Operation& operation, std::string name) {
  if (is_app_user(operation.database, name)) co_return Document();
  const bool is_external = operation.database == kExternal;
  RESTITCH_CO_TRY(auto mechanisms, mechanisms_from(operation));
  const bool has_password = operation.fields().has("pwd");
  RESTITCH_CO_TRY(const std::string_view password, operation.fields().string("pwd"));
  if (is_external && has_password) {
    co_return bad_value("Cannot set the password for users defined on the '$external' database");
  }
  if (is_external) co_return bson::make_document("external", true);
  if (!has_password) {
    co_return bad_value(
        "Must provide a 'pwd' field for all user documents, except those with '$external' as the "
        "user's source db");
  }
  if (password.empty()) co_return std::move(prepared_password(password)).error();
  if (!operation.command["digestPassword"].is_missing() &&
      !operation.command["digestPassword"].truthy()) {
    co_return bad_value("Use of SCRAM-SHA-256 requires undigested passwords");
  }
  const std::vector<ScramHash> hashes = mechanisms ? *mechanisms : all_hashes();
  auto made = co_await hashed_credentials(operation.services, std::move(name),
                                          std::string(password), hashes);
  co_return made;
}

// ---- changes

void note_change(Operation& operation) { ++operation.services.users.generation; }

Error user_not_found(const Operation& operation, std::string_view name) {
  return mongo_error(kUserNotFound,
                     "User '" + std::string(name) + "@" + operation.database + "' not found");
}

void append_majority(Builder& command) {
  command.open_object("writeConcern").append("w", "majority").close();
}

// Applies an update to the one user; error 11 when there is none.
Task<void> change_user(Operation& operation, std::string name, Document change) {
  Builder command;
  command.append("update", kUsersCollection);
  command.open_array("updates").push_object();
  command.open_object("q").append("_id", user_id(operation.database, name)).close();
  command.append("u", change);
  command.close().close();
  append_majority(command);
  Document document = std::move(command).finish();
  RESTITCH_CO_TRY(const Document reply,
                  co_await run_on_users(operation.services, std::move(document)));
  if (reply["n"].as_integer() != 1) co_return user_not_found(operation, name);
  note_change(operation);
  co_return Status();
}

Task<std::int64_t> delete_users(Operation& operation, Document filter) {
  Builder command;
  command.append("delete", kUsersCollection);
  command.open_array("deletes").push_object();
  command.append("q", filter).append("limit", std::int32_t{0});
  command.close().close();
  append_majority(command);
  Document document = std::move(command).finish();
  RESTITCH_CO_TRY(const Document reply,
                  co_await run_on_users(operation.services, std::move(document)));
  note_change(operation);
  co_return reply["n"].as_integer().value_or(0);
}

// Restrictions that are not kept would let in whom they are to keep out.
Status check_restrictions(const Operation& operation) {
  const ValueView restrictions = operation.command["authenticationRestrictions"];
  if (restrictions.is_missing()) return {};
  const auto list = restrictions.as_array();
  if (!list) return operation.fields().wrong_type("authenticationRestrictions", "array");
  if (list->empty()) return {};
  return bad_value("authenticationRestrictions are not supported");
}

Reply create_user(Operation& operation) {
  RESTITCH_CO_TRY(const std::string name, user_name(operation));
  RESTITCH_CO_CHECK(check_restrictions(operation));
  RESTITCH_CO_TRY(const Document roles, roles_from(operation));
  RESTITCH_CO_TRY(const View custom_data, operation.fields().object("customData"));
  if (operation.database == "local") {
    co_return bad_value("Cannot create users in the local database");
  }
  RESTITCH_CO_TRY(const Document credentials, co_await new_credentials(operation, name));
  Builder command;
  command.append("insert", kUsersCollection);
  command.open_array("documents").push_object();
  command.append("_id", user_id(operation.database, name));
  command.append_binary("userId", 4, new_uuid());
  command.append("user", name).append("db", operation.database);
  command.append("credentials", credentials);
  if (operation.fields().has("customData")) command.append("customData", custom_data);
  command.append_all(roles);
  command.close().close();
  append_majority(command);
  Document document = std::move(command).finish();
  auto inserted = co_await run_on_users(operation.services, std::move(document));
  if (!inserted && inserted.error().code() == ErrorCode::kDuplicateKey) {
    co_return mongo_error(kUserExists,
                          "User \"" + name + "@" + operation.database + "\" already exists");
  }
  if (!inserted) co_return std::move(inserted).error();
  note_change(operation);
  co_return Document();
}

// Keeps of the stored credentials those of the listed mechanisms.
Task<Document> remaining_credentials(Operation& operation, std::string name,
                                     std::vector<ScramHash> hashes) {
  RESTITCH_CO_TRY(const auto stored,
                  co_await read_user_document(operation.services, operation.database, name));
  if (!stored) co_return user_not_found(operation, name);
  const View credentials = (*stored)["credentials"].as_object().value_or(View());
  Builder kept;
  for (const ScramHash hash : hashes) {
    const auto known = credentials[mechanism_of(hash)].as_object();
    if (!known) {
      co_return bad_value("mechanisms field must be a subset of previously set mechanisms");
    }
    kept.append(mechanism_of(hash), *known);
  }
  co_return std::move(kept).finish();
}

Reply update_user(Operation& operation) {
  RESTITCH_CO_TRY(const std::string name, user_name(operation));
  const Fields fields = operation.fields();
  if (!fields.has("pwd") && !fields.has("roles") && !fields.has("customData") &&
      !fields.has("mechanisms") && !fields.has("authenticationRestrictions")) {
    co_return bad_value("Must specify at least one field to update in updateUser");
  }
  RESTITCH_CO_CHECK(check_restrictions(operation));
  Builder set;
  set.open_object("$set");
  if (fields.has("roles")) {
    RESTITCH_CO_TRY(const Document roles, roles_from(operation));
    set.append_all(roles);
  }
  if (fields.has("customData")) {
    RESTITCH_CO_TRY(const View custom_data, fields.object("customData"));
    set.append("customData", custom_data);
  }
  if (fields.has("pwd")) {
    RESTITCH_CO_TRY(const Document credentials, co_await new_credentials(operation, name));
    set.append("credentials", credentials);
  } else if (fields.has("mechanisms")) {
    RESTITCH_CO_TRY(const auto mechanisms, mechanisms_from(operation));
    RESTITCH_CO_TRY(const Document credentials,
                    co_await remaining_credentials(operation, name, *mechanisms));
    set.append("credentials", credentials);
  }
  set.close();
  Document change = std::move(set).finish();
  RESTITCH_CO_CHECK(co_await change_user(operation, name, std::move(change)));
  co_return Document();
}

Reply drop_user(Operation& operation) {
  RESTITCH_CO_TRY(const std::string name, user_name(operation));
  Document filter = bson::make_document("_id", user_id(operation.database, name));
  RESTITCH_CO_TRY(const std::int64_t count, co_await delete_users(operation, std::move(filter)));
  if (count == 0) co_return user_not_found(operation, name);
  co_return Document();
}

// Those of apps stay.
Reply drop_all_users(Operation& operation) {
  const std::string of_app = "^" + std::string(kAppUserPrefix);
  Builder builder;
  builder.append("db", operation.database);
  if (operation.database == kUsersDatabase) {
    builder.open_object("user").append_regex("$not", of_app, "").close();
  }
  Document filter = std::move(builder).finish();
  RESTITCH_CO_TRY(const std::int64_t count, co_await delete_users(operation, std::move(filter)));
  co_return bson::make_document("n", static_cast<std::int32_t>(count));
}

Reply grant_roles(Operation& operation) {
  RESTITCH_CO_TRY(const std::string name, user_name(operation));
  RESTITCH_CO_TRY(const Document roles, roles_from(operation));
  Builder change;
  change.open_object("$addToSet").open_object("roles");
  change.append_array("$each", roles["roles"].get_document());
  change.close().close();
  Document document = std::move(change).finish();
  RESTITCH_CO_CHECK(co_await change_user(operation, name, std::move(document)));
  co_return Document();
}

Reply revoke_roles(Operation& operation) {
  RESTITCH_CO_TRY(const std::string name, user_name(operation));
  RESTITCH_CO_TRY(const Document roles, roles_from(operation));
  Builder change;
  change.open_object("$pullAll");
  change.append_array("roles", roles["roles"].get_document());
  change.close();
  Document document = std::move(change).finish();
  RESTITCH_CO_CHECK(co_await change_user(operation, name, std::move(document)));
  co_return Document();
}

// ---- usersInfo

Status append_wanted_id(Builder& ids, const Operation& operation, ValueView which) {
  if (const auto name = which.as_string()) {
    ids.push(user_id(operation.database, *name));
    return {};
  }
  const auto object = which.as_object();
  const auto name = object ? (*object)["user"].as_string() : std::nullopt;
  if (!name) return bad_value("User must be named by a string or by {user, db}");
  ids.push(user_id((*object)["db"].as_string().value_or(operation.database), *name));
  return {};
}

Result<Document> users_filter(const Operation& operation) {
  const ValueView which = operation.target();
  Builder filter;
  if (which.is_number()) {
    filter.append("db", operation.database);
    return std::move(filter).finish();
  }
  if (const auto object = which.as_object(); object && (*object)["forAllDBs"].truthy()) {
    return std::move(filter).finish();
  }
  filter.open_object("_id").open_array("$in");
  if (const auto list = which.as_array()) {
    for (const bson::Element& element : *list) {
      RESTITCH_CHECK(append_wanted_id(filter, operation, element.value));
    }
  } else {
    RESTITCH_CHECK(append_wanted_id(filter, operation, which));
  }
  filter.close().close();
  return std::move(filter).finish();
}

void append_privileges(Builder& reply, View roles) {
  reply.open_array("inheritedRoles");
  for (const bson::Element& role : roles) reply.push(role.value);
  reply.close();
  reply.open_array("inheritedPrivileges");
  for (const bson::Element& element : roles) {
    const View role = element.value.as_object().value_or(View());
    const RoleName name{std::string(role["role"].as_string().value_or("")),
                        std::string(role["db"].as_string().value_or(""))};
    const auto privileges = privileges_of(name);
    if (!privileges) continue;
    for (const Privilege& privilege : *privileges) reply.push(to_document(privilege));
  }
  reply.close();
}

void append_user(Builder& reply, const Operation& operation, View user) {
  reply.push_object();
  for (const char* field : {"_id", "userId", "user", "db"}) reply.append(field, user[field]);
  const View credentials = user["credentials"].as_object().value_or(View());
  if (operation.command["showCredentials"].truthy()) reply.append("credentials", credentials);
  const bool shows_data = operation.command["showCustomData"].is_missing() ||
                          operation.command["showCustomData"].truthy();
  if (shows_data && user.contains("customData")) reply.append("customData", user["customData"]);
  reply.append("roles", user["roles"]);
  reply.open_array("mechanisms");
  for (const bson::Element& credential : credentials) {
    reply.push(credential.name);
  }
  reply.close();
  if (operation.command["showPrivileges"].truthy()) {
    append_privileges(reply, user["roles"].as_array().value_or(View()));
  }
  reply.close();
}

Reply users_info(Operation& operation) {
  constexpr std::size_t kMaxReply = 15U << 20U;
  RESTITCH_CO_TRY(const Document wanted, users_filter(operation));
  RESTITCH_CO_TRY(const View further, operation.fields().object("filter"));
  Builder find;
  find.append("find", kUsersCollection);
  find.open_object("filter").open_array("$and").push(wanted).push(further).close().close();
  find.open_object("sort").append("_id", std::int32_t{1}).close();
  Document command = std::move(find).finish();
  Builder reply;
  reply.open_array("users");
  const char* batch = "cursor.firstBatch";
  while (!command.empty()) {
    RESTITCH_CO_TRY(const Document found,
                    co_await run_on_users(operation.services, std::move(command)));
    const View users = found.view().find_path(batch).as_array().value_or(View());
    for (const bson::Element& user : users) {
      append_user(reply, operation, user.value.get_document());
    }
    if (reply.size() > kMaxReply) co_return bad_value("the reply to usersInfo would be too large");
    const std::int64_t id = found.view().find_path("cursor.id").as_integer().value_or(0);
    Builder next;
    if (id != 0) next.append("getMore", id).append("collection", kUsersCollection);
    command = std::move(next).finish();
    batch = "cursor.nextBatch";
  }
  reply.close();
  co_return std::move(reply).finish();
}

// ---- rolesInfo

void append_role(Builder& reply, const Operation& operation, const RoleName& role) {
  const auto privileges = privileges_of(role);
  if (!privileges) return;
  reply.push_object();
  reply.append("role", role.role).append("db", role.database).append("isBuiltin", true);
  reply.open_array("roles").close();
  reply.open_array("inheritedRoles").close();
  if (operation.command["showPrivileges"].truthy()) {
    for (const char* field : {"privileges", "inheritedPrivileges"}) {
      reply.open_array(field);
      for (const Privilege& privilege : *privileges) reply.push(to_document(privilege));
      reply.close();
    }
  }
  reply.close();
}

Result<Document> roles_info(Operation& operation) {
  const ValueView which = operation.target();
  Builder reply;
  reply.open_array("roles");
  if (which.is_number()) {
    if (operation.command["showBuiltinRoles"].truthy()) {
      for (const RoleName& role : built_in_roles(operation.database)) {
        append_role(reply, operation, role);
      }
    }
  } else if (const auto list = which.as_array()) {
    for (const bson::Element& element : *list) {
      RESTITCH_TRY(const RoleName role, role_from(operation, element.value));
      append_role(reply, operation, role);
    }
  } else {
    RESTITCH_TRY(const RoleName role, role_from(operation, which));
    append_role(reply, operation, role);
  }
  reply.close();
  return std::move(reply).finish();
}

}  // namespace

std::span<const CommandSpec> user_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "createUser",
       .flags = kOnExternal,
       .async = create_user,
       .fields = "pwd customData roles digestPassword mechanisms authenticationRestrictions "
                 "passwordDigestor"},
      {.name = "updateUser",
       .flags = kOnExternal,
       .async = update_user,
       .fields = "pwd customData roles digestPassword mechanisms authenticationRestrictions "
                 "passwordDigestor"},
      {.name = "dropUser", .flags = kOnExternal, .async = drop_user},
      {.name = "dropAllUsersFromDatabase", .flags = kOnExternal, .async = drop_all_users},
      {.name = "grantRolesToUser", .flags = kOnExternal, .async = grant_roles, .fields = "roles"},
      {.name = "revokeRolesFromUser",
       .flags = kOnExternal,
       .async = revoke_roles,
       .fields = "roles"},
      {.name = "usersInfo",
       .flags = kOnExternal,
       .async = users_info,
       .fields = "showPrivileges showCredentials showCustomData showAuthenticationRestrictions "
                 "filter"},
      {.name = "rolesInfo",
       .flags = kOnExternal,
       .read = roles_info,
       .fields = "showPrivileges showBuiltinRoles showAuthenticationRestrictions"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
