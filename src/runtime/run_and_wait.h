#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <utility>

#include "runtime/task.h"

namespace restitch::runtime {

namespace detail {

template <typename T>
asio::awaitable<void> fulfil(Task<T> task, std::promise<Result<T>>& promise) {
  promise.set_value(co_await std::move(task));
}

}  // namespace detail

// Runs a task on a context that another thread drives, and blocks until it has ended. For threads that are not part
// of the event loops (start-up, shut-down, tests). An exception of the task comes out here.
template <typename T>
Result<T> run_and_wait(boost::asio::io_context& context, Task<T> task) {
  std::promise<Result<T>> promise;
  std::future<Result<T>> future = promise.get_future();
  asio::co_spawn(context, detail::fulfil(std::move(task), promise), [&promise](std::exception_ptr failure) {
    if (failure) promise.set_exception(failure);
  });
  return future.get();
}

}  // namespace restitch::runtime
