#pragma once

#include <atomic>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "runtime/task.h"

namespace restitch::runtime {

// Threads for work that may wait or compute for more than about a millisecond: disk reads, password hashes, large
// scans. At most `queue_limit` pieces wait; above that run() answers kTooManyRequests.
class BlockingPool {
 public:
  BlockingPool(std::size_t threads, std::size_t queue_limit) : pool_(threads), queue_limit_(queue_limit) {}
  ~BlockingPool() { stop(); }
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;

  // Runs `work` (a callable returning Result<T>) on a pool thread and resumes the caller on its own executor.
  template <typename F>
  asio::awaitable<std::invoke_result_t<F&>> run(F work) {
    using R = std::invoke_result_t<F&>;
    if (waiting_.fetch_add(1) >= queue_limit_) {
      waiting_.fetch_sub(1);
      co_return R(Error(ErrorCode::kTooManyRequests, "too many requests"));
    }
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(R)>(
        [this](auto handler, F inner) {
          auto executor = asio::get_associated_executor(handler);
          asio::post(pool_, [this, executor, inner = std::move(inner), handler = std::move(handler)]() mutable {
            waiting_.fetch_sub(1);
            R result = inner();
            asio::post(executor, [handler = std::move(handler), result = std::move(result)]() mutable {
              std::move(handler)(std::move(result));
            });
          });
        },
        asio::use_awaitable, std::move(work));
  }

  // Waits for the running work; queued work still runs.
  void stop() { pool_.join(); }

 private:
  asio::thread_pool pool_;
  std::atomic<std::size_t> waiting_{0};
  std::size_t queue_limit_;
};

}  // namespace restitch::runtime
