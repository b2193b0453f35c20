#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

#include "runtime/task.h"

namespace restitch::runtime {

// Threads for calls into a library that waits for the network: as many as calls are under way, up
// to `max_threads`; those idle for 10 s end. At most `queue_limit` calls wait; above that run()
// answers kTooManyRequests.
class ElasticPool {
 public:
  ElasticPool(std::size_t max_threads, std::size_t queue_limit);
  ~ElasticPool();
  ElasticPool(const ElasticPool&) = delete;
  ElasticPool& operator=(const ElasticPool&) = delete;

  // Runs `work` (a callable returning Result<T>) on a pool thread and resumes the caller on its own
  // executor.
  template <typename F>
  asio::awaitable<std::invoke_result_t<F&>> run(F work) {
    using R = std::invoke_result_t<F&>;
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(R)>(
        [this](auto handler, F inner) {
          using Call = Waiting<R, F, decltype(handler)>;
          auto call = std::make_unique<Call>(std::move(inner), std::move(handler));
          Call& kept = *call;
          const bool is_taken = enqueue(call);
          if (!is_taken) kept.answer(R(Error(ErrorCode::kTooManyRequests, "too many requests")));
        },
        asio::use_awaitable, std::move(work));
  }

  // Waits for the calls under way; those that wait still run. Nothing may be added any more.
  void stop();

 private:
  struct Job {
    virtual ~Job() = default;
    virtual void run() = 0;
  };

  template <typename R, typename F, typename Handler>
  struct Waiting final : Job {
    Waiting(F body, Handler then) : work(std::move(body)), handler(std::move(then)) {}
    void run() override { answer(work()); }
    void answer(R result) {
      auto executor = asio::get_associated_executor(handler);
      asio::post(executor, [then = std::move(handler), value = std::move(result)]() mutable {
        std::move(then)(std::move(value));
      });
    }
    F work;
    Handler handler;
  };

  template <typename Call>
  bool enqueue(std::unique_ptr<Call>& call) {
    std::unique_ptr<Job> job = std::move(call);
    if (add(job)) return true;
    call.reset(static_cast<Call*>(job.release()));
    return false;
  }
  // Takes `job` unless the queue is full.
  bool add(std::unique_ptr<Job>& job);

  class State;
  std::shared_ptr<State> state_;
};

}  // namespace restitch::runtime
