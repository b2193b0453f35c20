#pragma once

#include "bson/document.h"
#include "datasource/embedded/operation.h"
#include "runtime/task.h"

namespace restitch::datasource::embedded {

// The replies to saslStart, saslContinue and authenticate, without `ok`. `database` is where the
// user is defined. They change the Authentication of the operation's caller.
Task<bson::Document> start_sasl(Operation& operation, std::string database, bson::View request);
Task<bson::Document> continue_sasl(Operation& operation, bson::View request);
Task<bson::Document> authenticate_certificate(Operation& operation, std::string database,
                                              bson::View request);

// What hello answers about users: saslSupportedMechs and speculativeAuthenticate, when asked for.
Task<void> append_sasl(bson::Builder& reply, Operation& operation);

}  // namespace restitch::datasource::embedded
