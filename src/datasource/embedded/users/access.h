#pragma once

#include "datasource/embedded/operation.h"
#include "datasource/embedded/users/roles.h"

// What commands of clients may do. Commands of the server itself (no caller), and of endpoints
// without authentication, may do everything.
namespace restitch::datasource::embedded {

// 13 unless the users of the connection have the rights that the command needs. A command that the
// table of rights does not know is allowed to root only.
Status authorize(const Operation& operation);
// Whether the table of rights knows the command.
bool has_access_rule(std::string_view command);

// For commands that show each user a part only.
bool may(const Operation& operation, Action action, const Target& target);
bool may_see_database(const Operation& operation, std::string_view database);

// Who owns what the command opens (a cursor): "user@db" of the first user, empty without one.
std::string owner_of(const Operation& operation);

}  // namespace restitch::datasource::embedded
