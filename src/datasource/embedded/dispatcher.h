#pragma once

#include <string>

#include "datasource/data_source.h"
#include "datasource/embedded/services.h"
#include "runtime/task.h"

namespace restitch::datasource::embedded {

// Runs one command from its bytes to its reply.
Task<bson::Document> dispatch(Services& services, std::string database, bson::Document command,
                              Deadline deadline);

}  // namespace restitch::datasource::embedded
