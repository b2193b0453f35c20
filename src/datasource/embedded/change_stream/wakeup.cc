#include "datasource/embedded/change_stream/wakeup.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>

namespace restitch::datasource::embedded {

asio::awaitable<void> Wakeup::wait(Time until) {
  const auto executor = co_await asio::this_coro::executor;
  const auto timer = std::make_shared<asio::steady_timer>(executor, until);
  {
    const std::lock_guard lock(mutex_);
    if (is_woken_) {
      is_woken_ = false;
      co_return;
    }
    timer_ = timer;
  }
  co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
  const std::lock_guard lock(mutex_);
  timer_.reset();
  is_woken_ = false;
}

void Wakeup::wake() {
  std::shared_ptr<asio::steady_timer> timer;
  {
    const std::lock_guard lock(mutex_);
    is_woken_ = true;
    timer = timer_;
  }
  if (!timer) return;
  // On the waiter's own thread: timers belong to it. Moving the expiry also ends a wait that has
  // not begun yet.
  const auto executor = timer->get_executor();
  asio::post(executor, [timer]() { timer->expires_at(asio::steady_timer::time_point::min()); });
}

void Wakeup::reset() {
  const std::lock_guard lock(mutex_);
  is_woken_ = false;
}

}  // namespace restitch::datasource::embedded
