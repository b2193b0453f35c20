#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <mutex>

#include "runtime/task.h"

namespace restitch::datasource::embedded {

// Lets one coroutine wait for news without a thread. wake() may come at any time and from any
// thread; one that comes while nobody waits ends the next wait at once. The executor of the waiting
// coroutine must run on one thread.
class Wakeup : public std::enable_shared_from_this<Wakeup> {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // Returns after a wake(), at the given time, or when the coroutine is cancelled.
  asio::awaitable<void> wait(Time until);
  void wake();
  // Forgets a wake() that nobody has waited for.
  void reset();

 private:
  std::mutex mutex_;
  bool is_woken_ = false;
  std::shared_ptr<asio::steady_timer> timer_;  // set while somebody waits
};
using WakeupPtr = std::shared_ptr<Wakeup>;

}  // namespace restitch::datasource::embedded
