#include "runtime/elastic_pool.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace restitch::runtime {

namespace {
constexpr auto kIdleTime = std::chrono::seconds(10);
}  // namespace

// Shared with the threads, which are detached: the last one to leave wakes stop().
class ElasticPool::State : public std::enable_shared_from_this<State> {
 public:
  State(std::size_t max_threads, std::size_t queue_limit)
      : max_threads_(max_threads), queue_limit_(queue_limit) {}

  bool add(std::unique_ptr<Job>& job) {
    const std::lock_guard lock(mutex_);
    if (jobs_.size() >= queue_limit_) return false;
    jobs_.push_back(std::move(job));
    if (idle_ >= jobs_.size() || threads_ >= max_threads_) {
      wake_.notify_one();
      return true;
    }
    ++threads_;
    std::thread([self = shared_from_this()] { self->serve(); }).detach();
    return true;
  }

  void stop() {
    std::unique_lock lock(mutex_);
    is_stopping_ = true;
    wake_.notify_all();
    ended_.wait(lock, [this] { return threads_ == 0; });
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      ++idle_;
      const bool has_job =
          wake_.wait_for(lock, kIdleTime, [this] { return !jobs_.empty() || is_stopping_; });
      --idle_;
      if (jobs_.empty()) {
        if (!has_job || is_stopping_) break;
        continue;
      }
      std::unique_ptr<Job> job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job->run();
      job.reset();
      lock.lock();
    }
    --threads_;
    ended_.notify_all();
  }

  const std::size_t max_threads_;
  const std::size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable wake_, ended_;
  std::deque<std::unique_ptr<Job>> jobs_;
  std::size_t threads_ = 0;
  std::size_t idle_ = 0;
  bool is_stopping_ = false;
};

ElasticPool::ElasticPool(std::size_t max_threads, std::size_t queue_limit)
    : state_(std::make_shared<State>(max_threads, queue_limit)) {}

ElasticPool::~ElasticPool() { stop(); }

bool ElasticPool::add(std::unique_ptr<Job>& job) { return state_->add(job); }

void ElasticPool::stop() { state_->stop(); }

}  // namespace restitch::runtime
