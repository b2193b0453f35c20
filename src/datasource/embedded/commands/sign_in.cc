#include "datasource/embedded/command_table.h"
#include "datasource/embedded/error_names.h"
#include "datasource/embedded/services.h"
#include "datasource/embedded/users/authentication.h"
#include "datasource/embedded/users/sasl.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;

using Reply = asio::awaitable<Result<Document>>;

// Signing in makes sense on a connection only.
Status check_connection(const Operation& operation) {
  if (operation.caller && operation.caller->authentication) return {};
  return mongo_error(code::kIllegalOperation, "there is no connection to sign in on");
}

Reply sasl_start(Operation& operation) {
  RESTITCH_CO_CHECK(check_connection(operation));
  auto reply = co_await start_sasl(operation, operation.database, operation.command);
  co_return reply;
}

Reply sasl_continue(Operation& operation) {
  RESTITCH_CO_CHECK(check_connection(operation));
  auto reply = co_await continue_sasl(operation, operation.command);
  co_return reply;
}

Reply authenticate(Operation& operation) {
  RESTITCH_CO_CHECK(check_connection(operation));
  auto reply = co_await authenticate_certificate(operation, operation.database, operation.command);
  co_return reply;
}

Result<Document> log_out(Operation& operation) {
  if (operation.caller && operation.caller->authentication) {
    std::erase_if(operation.caller->authentication->users,
                  [&](const UserPtr& user) { return user->database == operation.database; });
  }
  return Document();
}

Result<Document> connection_status(Operation& operation) {
  std::vector<UserPtr> users;
  if (operation.caller && operation.caller->authentication) {
    users = operation.caller->authentication->users;
  }
  Builder reply;
  reply.open_object("authInfo");
  reply.open_array("authenticatedUsers");
  for (const UserPtr& user : users) {
    reply.push_object().append("user", user->name).append("db", user->database).close();
  }
  reply.close();
  reply.open_array("authenticatedUserRoles");
  for (const UserPtr& user : users) {
    for (const RoleName& role : user->roles) {
      reply.push_object().append("role", role.role).append("db", role.database).close();
    }
  }
  reply.close();
  if (operation.command["showPrivileges"].truthy()) {
    reply.open_array("authenticatedUserPrivileges");
    for (const UserPtr& user : users) {
      for (const Privilege& privilege : user->privileges) reply.push(to_document(privilege));
    }
    reply.close();
  }
  reply.close();
  return std::move(reply).finish();
}

}  // namespace

std::span<const CommandSpec> sign_in_commands() {
  static const CommandSpec kCommands[] = {
      {.name = "saslStart",
       .flags = kIgnoresUnknownFields | kNoSession | kOnExternal,
       .async = sasl_start},
      {.name = "saslContinue",
       .flags = kIgnoresUnknownFields | kNoSession | kOnExternal,
       .async = sasl_continue},
      {.name = "authenticate",
       .flags = kIgnoresUnknownFields | kNoSession | kOnExternal,
       .async = authenticate},
      {.name = "logout", .flags = kNoSession | kOnExternal, .read = log_out},
      {.name = "connectionStatus",
       .flags = kNoSession,
       .read = connection_status,
       .fields = "showPrivileges"},
  };
  return kCommands;
}

}  // namespace restitch::datasource::embedded
