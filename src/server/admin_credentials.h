#pragma once

#include <string>

#include "base/result.h"

namespace restitch::server {

// The administrator's key pair and the group that all apps of this server belong to.
struct AdminCredentials {
  std::string public_api_key, private_api_key, group_id;
};

// Reads DIR/admin.json, or makes it (mode 0600) with fresh keys at the first start.
Result<AdminCredentials> load_or_create_admin_credentials(const std::string& directory);

}  // namespace restitch::server
