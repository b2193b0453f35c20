#pragma once

#include "base/result.h"
#include "datasource/embedded/operation.h"

namespace restitch::datasource::embedded {

// Reads what every command may carry: readConcern, writeConcern, apiVersion, session fields, and
// checks that the command may be run so (spec: mongodb-engine §1, 3). The transaction itself is
// entered later.
Status read_generic_options(Operation& operation);

// Unknown fields and maxTimeMS: errors of these end a running transaction.
Status read_execution_options(Operation& operation);

// Lets the command enter the transaction or retryable write that its session fields name
// (§3.3, 3.4). The session must be held. An error leaves a running transaction open.
Status enter_session(Operation& operation);

}  // namespace restitch::datasource::embedded
