#pragma once

#include <memory>
#include <string>

#include "datasource/data_source.h"

namespace restitch::server {

// The server's state under another database name: so that several groups of nodes, or a Restitch
// and nodes that use it as their deployment, stand beside each other. Commands on the state's
// database (auth::kStateDatabase) go to `database` of `deployment`, all others where they say.
std::shared_ptr<datasource::DataSource> state_in_database(
    std::shared_ptr<datasource::DataSource> deployment, std::string database);

}  // namespace restitch::server
