#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include "datasource/embedded/internal_command.h"
#include "datasource/embedded/operation.h"
#include "runtime/task.h"

namespace restitch::datasource::embedded {

// Runs `attempt`, a change of the catalog outside transactions, until no open transaction is in its
// way or the command's time is over.
template <typename T, typename Attempt>
asio::awaitable<Result<T>> until_free(Operation& operation, Attempt attempt) {
  for (int conflicts = 0;; ++conflicts) {
    Result<T> result = co_await attempt();
    if (result || result.error().code() != ErrorCode::kWriteConflict) co_return result;
    if (const Status in_time = operation.check_deadline(); !in_time) co_return in_time.error();
    asio::steady_timer timer(co_await asio::this_coro::executor, conflict_pause(conflicts));
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

}  // namespace restitch::datasource::embedded
