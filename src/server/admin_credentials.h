#pragma once

#include <string>

#include "base/result.h"

namespace restitch::server {

// The administrator's key pair and the group that all apps of this server belong to.
struct AdminCredentials {
  std::string public_api_key, private_api_key, group_id;
};

// {"publicApiKey", "privateApiKey", "groupId"}; `where` is for the error, kCorrupt.
Result<AdminCredentials> parse_admin_credentials(const std::string& text, const std::string& where);
std::string to_json(const AdminCredentials& credentials);

// Reads DIR/admin.json, or makes it (mode 0600) with fresh keys at the first start.
Result<AdminCredentials> load_or_create_admin_credentials(const std::string& directory);
// Puts them in the place of what DIR/admin.json says.
Status replace_admin_credentials(const std::string& directory, const AdminCredentials& credentials);

}  // namespace restitch::server
