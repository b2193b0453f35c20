#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <utility>

#include "runtime/task.h"

namespace restitch::deployment {

// One holder at a time, first come first served, across threads. A holder may wait for anything
// meanwhile. Must outlive its turns.
class Turns {
 public:
  // Ends the turn when it goes.
  class Turn {
   public:
    Turn() = default;
    explicit Turn(Turns* turns) : turns_(turns) {}
    Turn(Turn&& other) noexcept : turns_(std::exchange(other.turns_, nullptr)) {}
    Turn& operator=(Turn&& other) noexcept {
      end();
      turns_ = std::exchange(other.turns_, nullptr);
      return *this;
    }
    ~Turn() { end(); }

   private:
    void end() {
      if (turns_ != nullptr) std::exchange(turns_, nullptr)->pass_on();
    }
    Turns* turns_ = nullptr;
  };

  asio::awaitable<Turn> take() {
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto handler) {
          auto executor = asio::get_associated_executor(handler);
          auto kept = std::make_shared<decltype(handler)>(std::move(handler));
          enqueue([executor, kept] { asio::post(executor, [kept] { std::move (*kept)(); }); });
        },
        asio::use_awaitable);
    co_return Turn(this);
  }

 private:
  void enqueue(std::function<void()> resume) {
    {
      const std::lock_guard lock(mutex_);
      if (is_taken_) {
        waiting_.push_back(std::move(resume));
        return;
      }
      is_taken_ = true;
    }
    resume();
  }

  void pass_on() {
    std::function<void()> next;
    {
      const std::lock_guard lock(mutex_);
      if (waiting_.empty()) {
        is_taken_ = false;
        return;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    next();
  }

  std::mutex mutex_;
  std::deque<std::function<void()>> waiting_;
  bool is_taken_ = false;
};

}  // namespace restitch::deployment
