#include "deployment/log_queue.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>

#include "base/log.h"
#include "runtime/metrics.h"

namespace restitch::deployment {
namespace {

constexpr std::size_t kMaxWaiting = 20'000;
constexpr std::size_t kMaxWaitingBytes = 32U << 20U;
constexpr std::size_t kBatchCount = 1000;
constexpr std::size_t kBatchBytes = 4U << 20U;
constexpr std::chrono::milliseconds kGathering{20};

metrics::Counter& dropped_entries() {
  static metrics::Counter counter("restitch_log_entries_dropped_total",
                                  "Log entries lost because too many waited");
  return counter;
}

void warn(const Error& error) {
  RESTITCH_LOG(kWarning, kApp, 3001, "Cannot store a log entry", {"error", error.message()});
}

// An entry that the source refuses does not take the others of its batch with it.
asio::awaitable<void> insert_each(const datasource::Collection& collection,
                                  const std::vector<bson::Document>& batch,
                                  const datasource::CallOptions& relaxed) {
  constexpr int kDuplicateKey = 11000;
  for (const bson::Document& entry : batch) {
    const auto stored = co_await collection.insert_one(entry, relaxed);
    if (!stored && stored.error().mongo_code() != kDuplicateKey) warn(stored.error());
  }
}

}  // namespace

LogQueue::LogQueue(std::shared_ptr<datasource::DataSource> state, runtime::IoThreads& threads,
                   datasource::Collection collection)
    : state_(std::move(state)), threads_(threads), collection_(std::move(collection)) {}

void LogQueue::add(bson::Document entry) {
  const std::size_t bytes = entry.bytes().size();
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() >= kMaxWaiting || waiting_bytes_ + bytes > kMaxWaitingBytes) {
      dropped_entries().add();
      return;
    }
    waiting_.push_back(std::move(entry));
    waiting_bytes_ += bytes;
    if (is_writing_) return;
    is_writing_ = true;
  }
  boost::asio::co_spawn(threads_.next(), write(shared_from_this()),
                        [self = shared_from_this()](std::exception_ptr failure) {
                          if (failure) self->end();
                        });
}

void LogQueue::drain() {
  std::unique_lock lock(mutex_);
  ++drains_;
  idle_.wait(lock, [this] { return !is_writing_; });
  --drains_;
}

asio::awaitable<void> LogQueue::write(std::shared_ptr<LogQueue> self) {
  datasource::CallOptions relaxed;
  relaxed.relaxed_durability = true;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  while (true) {
    if (!self->is_hurried()) {
      timer.expires_after(kGathering);
      co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    const std::vector<bson::Document> batch = self->take();
    if (batch.empty()) co_return;
    const auto stored = co_await self->collection_.insert_many(batch, relaxed);
    if (stored) continue;
    if (stored.error().code() == ErrorCode::kMongo) {
      co_await insert_each(self->collection_, batch, relaxed);
    } else {
      warn(stored.error());
    }
  }
}

std::vector<bson::Document> LogQueue::take() {
  std::vector<bson::Document> batch;
  std::size_t bytes = 0;
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty() && batch.size() < kBatchCount && bytes < kBatchBytes) {
    bytes += waiting_.front().bytes().size();
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  waiting_bytes_ -= bytes;
  if (batch.empty()) {
    is_writing_ = false;
    idle_.notify_all();
  }
  return batch;
}

bool LogQueue::is_hurried() {
  const std::lock_guard lock(mutex_);
  return drains_ > 0 || waiting_.size() >= kBatchCount;
}

void LogQueue::end() {
  const std::lock_guard lock(mutex_);
  is_writing_ = false;
  idle_.notify_all();
}

}  // namespace restitch::deployment
