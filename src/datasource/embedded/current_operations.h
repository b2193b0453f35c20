#pragma once

#include <vector>

#include "bson/document.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// What currentOp tells: the running commands, and the open transactions that wait for their
// client's next command.
struct OperationFilter {
  bool idle_sessions = true;
  bool idle_cursors = false;
};
std::vector<bson::Document> describe_operations(const Services& services,
                                                const OperationFilter& filter);
// What $listLocalSessions and $listSessions tell: {_id: {id, uid}, lastUse}.
std::vector<bson::Document> describe_sessions(const Services& services);

}  // namespace restitch::datasource::embedded
