#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>

#include "runtime/task.h"

namespace restitch::runtime {

// Owns detached work on one executor: nothing starts after close(); close() returns when the last piece has ended.
// Not thread-safe: use it on its executor only.
class Gate {
 public:
  explicit Gate(asio::any_io_executor executor);

  // False when the gate is closing and the work was not started.
  bool spawn(asio::awaitable<void> work);
  asio::awaitable<void> close();
  bool is_closing() const { return closing_; }
  std::size_t live() const { return live_; }

 private:
  asio::any_io_executor executor_;
  asio::steady_timer drained_;
  std::size_t live_ = 0;
  bool closing_ = false;
};

}  // namespace restitch::runtime
