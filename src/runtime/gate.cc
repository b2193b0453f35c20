#include "runtime/gate.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>

#include "base/log.h"

namespace restitch::runtime {

Gate::Gate(asio::any_io_executor executor) : executor_(executor), drained_(executor) {
  drained_.expires_at(asio::steady_timer::time_point::max());
}

bool Gate::spawn(asio::awaitable<void> work) {
  if (closing_) return false;
  ++live_;
  asio::co_spawn(executor_, std::move(work), [this](std::exception_ptr failure) {
    if (failure) {
      try {
        std::rethrow_exception(failure);
      } catch (const std::exception& error) {
        RESTITCH_LOG(kError, kServer, 1001, "Detached work ended by an exception", {"error", error.what()});
      }
    }
    if (--live_ == 0 && closing_) drained_.cancel();
  });
  return true;
}

asio::awaitable<void> Gate::close() {
  closing_ = true;
  if (live_ > 0) co_await drained_.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace restitch::runtime
