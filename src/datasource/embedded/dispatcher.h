#pragma once

#include <functional>
#include <string>

#include "datasource/data_source.h"
#include "datasource/embedded/services.h"
#include "runtime/task.h"

namespace restitch::datasource::embedded {

struct CommandRequest {
  std::string database;
  bson::Document command;
  Deadline deadline = kNoDeadline;
  CallerPtr caller;                             // null: the server itself
  std::function<asio::awaitable<void>()> wait;  // see CallerContext
  bool may_write_system_collections = false;    // for what the cluster keeps there itself
};

// Runs one command from its bytes to its reply.
Task<bson::Document> dispatch(Services& services, CommandRequest request);

}  // namespace restitch::datasource::embedded
