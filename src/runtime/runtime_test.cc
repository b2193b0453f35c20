#include <gtest/gtest.h>
#include <sys/resource.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <mutex>
#include <thread>

#include "runtime/background_pool.h"
#include "runtime/blocking_pool.h"
#include "runtime/elastic_pool.h"
#include "runtime/gate.h"
#include "runtime/io_threads.h"
#include "runtime/metrics.h"
#include "runtime/run_and_wait.h"

namespace restitch::runtime {
namespace {

class RuntimeTest : public ::testing::Test {
 protected:
  RuntimeTest() : threads_(2) { threads_.start(); }
  ~RuntimeTest() override { threads_.stop(); }

  IoThreads threads_;
};

template <typename Pool>
Task<int> doubled_on_pool(Pool& pool, int value, std::thread::id* ran_on) {
  const auto work = [value, ran_on]() -> Result<int> {
    *ran_on = std::this_thread::get_id();
    return value * 2;
  };
  const std::thread::id before = std::this_thread::get_id();
  RESTITCH_CO_TRY(const int result, co_await pool.run(work));
  EXPECT_EQ(std::this_thread::get_id(), before);
  co_return result;
}

template <typename Pool>
class PoolTest : public RuntimeTest {};
using Pools = ::testing::Types<BlockingPool, ElasticPool>;
TYPED_TEST_SUITE(PoolTest, Pools);

TYPED_TEST(PoolTest, work_runs_elsewhere_and_resumes_the_caller_on_its_thread) {
  TypeParam pool(2, 10);
  std::thread::id ran_on;
  const auto result = run_and_wait(this->threads_.context(0), doubled_on_pool(pool, 21, &ran_on));
  ASSERT_TRUE(result);
  EXPECT_EQ(*result, 42);
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

struct Tally {
  std::atomic<int> refused{0};
  std::atomic<int> done{0};
};

template <typename Pool>
asio::awaitable<void> wait_for(Pool& pool, std::mutex& gate, Tally& tally) {
  const auto work = [&gate]() -> Result<int> {
    const std::lock_guard wait(gate);
    return 1;
  };
  const Result<int> result = co_await pool.run(work);
  if (!result) {
    EXPECT_EQ(result.error().code(), ErrorCode::kTooManyRequests);
    ++tally.refused;
  }
  ++tally.done;
}

TYPED_TEST(PoolTest, refuses_what_exceeds_its_queue) {
  TypeParam pool(1, 2);
  std::mutex gate;
  Tally tally;
  {
    const std::lock_guard hold(gate);
    for (int i = 0; i < 8; ++i) {
      asio::co_spawn(this->threads_.context(0), wait_for(pool, gate, tally), [](std::exception_ptr) {});
    }
    while (tally.refused.load() < 5) std::this_thread::yield();
  }
  while (tally.done.load() < 8) std::this_thread::yield();
  EXPECT_LE(tally.refused.load(), 6);  // one may run while two wait
}

TEST_F(RuntimeTest, an_elastic_pool_runs_as_many_calls_at_once_as_it_may_have_threads) {
  constexpr int kCalls = 8;
  ElasticPool pool(kCalls, 100);
  std::mutex gate;
  std::atomic<int> begun{0};
  std::atomic<int> ended{0};
  const auto call = [&]() -> asio::awaitable<void> {
    const auto work = [&]() -> Result<int> {
      ++begun;
      const std::lock_guard wait(gate);
      return 1;
    };
    const Result<int> result = co_await pool.run(work);
    EXPECT_TRUE(result);
    ++ended;
  };
  {
    const std::lock_guard hold(gate);
    for (int i = 0; i < kCalls; ++i) asio::co_spawn(threads_.context(0), call(), [](std::exception_ptr) {});
    while (begun.load() < kCalls) std::this_thread::yield();  // hangs if they had to take turns
  }
  while (ended.load() < kCalls) std::this_thread::yield();
}

Task<int> failing() { co_return Error(ErrorCode::kNotFound, "nothing there"); }

TEST_F(RuntimeTest, run_and_wait_hands_errors_out) {
  const auto result = run_and_wait(threads_.context(1), failing());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kNotFound);
}

asio::awaitable<void> sleep_and_count(std::atomic<int>& count) {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(20));
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  ++count;
}

Task<int> close_gate(boost::asio::io_context& context, std::atomic<int>& count) {
  Gate gate(context.get_executor());
  EXPECT_TRUE(gate.spawn(sleep_and_count(count)));
  EXPECT_TRUE(gate.spawn(sleep_and_count(count)));
  co_await gate.close();
  const int ended = count.load();
  EXPECT_FALSE(gate.spawn(sleep_and_count(count)));
  co_return ended;
}

TEST_F(RuntimeTest, closing_a_gate_waits_for_its_work_and_starts_no_more) {
  std::atomic<int> count{0};
  const auto ended = run_and_wait(threads_.context(0), close_gate(threads_.context(0), count));
  ASSERT_TRUE(ended);
  EXPECT_EQ(*ended, 2);
}

TEST(Metrics, render_shows_what_was_declared_and_counted) {
  metrics::Counter counter("restitch_test_things_total", "Things of the test");
  counter.add(3);
  EXPECT_NE(metrics::render().find("restitch_test_things_total 3"), std::string::npos);
}

TEST_F(RuntimeTest, threads_of_a_background_pool_stand_back_and_the_caller_does_not) {
  const auto nice_now = [] { return ::getpriority(PRIO_PROCESS, 0); };
  const int before = nice_now();
  const auto pool = make_background_pool(2, 10, 3);
  const auto work = [&nice_now]() -> Result<int> { return nice_now(); };
  const auto nice_of_pool = run_and_wait(threads_.context(0), pool->run(work));
  ASSERT_TRUE(nice_of_pool);
  EXPECT_EQ(*nice_of_pool, std::min(before + 3, 19));
  EXPECT_EQ(nice_now(), before);
}

}  // namespace
}  // namespace restitch::runtime
