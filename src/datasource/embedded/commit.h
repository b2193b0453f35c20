#pragma once

#include <memory>

#include "datasource/embedded/write_unit.h"
#include "runtime/task.h"

namespace restitch::datasource::embedded {

// Queues the commit and resumes the caller, on its own executor, when the writes are as durable as
// asked.
asio::awaitable<Result<storage::Committed>> commit_unit(storage::Engine& engine,
                                                        std::unique_ptr<WriteUnit> unit,
                                                        storage::Durability durability);

}  // namespace restitch::datasource::embedded
