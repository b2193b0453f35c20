#pragma once

#include "auth/crypto.h"
#include "datasource/data_source.h"
#include "runtime/task.h"
#include "server/admin_credentials.h"

namespace restitch::server {

// The administrators' key pair of all nodes of a state store: that of the node that came first,
// kept there sealed with the secret key that all nodes share. kInvalidArgument when this node has
// another secret key.
Task<AdminCredentials> share_credentials(datasource::DataSource& state, auth::SecretBox box,
                                         AdminCredentials own);

}  // namespace restitch::server
