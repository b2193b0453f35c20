#pragma once

#include "datasource/data_source.h"
#include "runtime/task.h"
#include "server/admin_credentials.h"

namespace restitch::server {

// The first user of the embedded cluster: when it has none who can sign in, the administrator's key
// pair becomes the name and password of a user with the role root.
Task<void> ensure_wire_user(datasource::DataSource& cluster, AdminCredentials admin);

}  // namespace restitch::server
