#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "runtime/task.h"

namespace restitch::rules::testing {

template <typename T>
asio::awaitable<void> keep_result(Task<T> task, std::optional<Result<T>>& result) {
  result.emplace(co_await std::move(task));
}

// Runs a task to its end on an executor of its own.
template <typename T>
Result<T> wait_for(Task<T> task) {
  asio::io_context executor;
  std::optional<Result<T>> result;
  std::exception_ptr failure;
  asio::co_spawn(executor, keep_result(std::move(task), result),
                 [&failure](std::exception_ptr thrown) { failure = thrown; });
  executor.run();
  if (failure) std::rethrow_exception(failure);
  return std::move(*result);
}

}  // namespace restitch::rules::testing
