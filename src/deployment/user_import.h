#pragma once

#include <optional>
#include <vector>

#include "auth/store.h"
#include "deployment/deployed_app.h"
#include "runtime/task.h"

namespace restitch::deployment {

struct ImportedUser {
  auth::UserRecord record;
  std::vector<auth::PasswordLogin> logins;
  std::optional<bson::Document> custom_data;
};

// Reads a user of another system, in the form of the Admin API's lists of users or the short form
// {"id", "email", "password_hash"} (docs/authentication/import.md). Errors are kInvalidArgument and
// say which member is wrong.
Result<ImportedUser> read_imported_user(bson::View document, const DeployedApp& app);

// Stores one: kDuplicateKey, with a text, when the id, an identity or an e-mail is taken.
Task<void> import_user(auth::AuthService& auth, DeployedAppPtr app, ImportedUser user);

}  // namespace restitch::deployment
