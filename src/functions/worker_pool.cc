#include "functions/worker_pool.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include "base/log.h"
#include "functions/frames.h"
#include "runtime/metrics.h"

namespace restitch::functions {

namespace {

constexpr std::chrono::milliseconds kTick{25};
constexpr std::chrono::seconds kIdleTime{60};
constexpr std::chrono::seconds kStartTime{30};
constexpr std::chrono::seconds kStopTime{3};
constexpr std::chrono::milliseconds kFirstBackOff{100};
constexpr std::chrono::milliseconds kLongestBackOff{10000};
// A worker that ends sooner after its start counts as a failed start.
constexpr std::chrono::seconds kShortLife{2};
constexpr int kFailuresBeforeRefusal = 3;

metrics::Gauge worker_gauge("restitch_functions_workers", "Function worker processes");
metrics::Counter start_counter("restitch_functions_worker_starts_total",
                               "Function workers started");
metrics::Counter end_counter("restitch_functions_worker_interrupted_calls_total",
                             "Calls whose function worker ended under them");

Error interruption(const WorkerEnd& end) {
  // Which of several calls filled the heap cannot be told.
  if (end.ran_out_of_memory && end.interrupted.size() == 1) {
    return Error(ErrorCode::kFunctionExecution, "memory limit exceeded");
  }
  return Error(ErrorCode::kFunctionInterrupted, "function execution was interrupted");
}

}  // namespace

WorkerPool::WorkerPool(asio::any_io_executor executor, PoolSettings settings,
                       OperationHandler operations)
    : strand_(asio::make_strand(executor)),
      settings_(std::move(settings)),
      operations_(std::move(operations)),
      ticker_(strand_),
      changed_(strand_) {
  changed_.expires_at(asio::steady_timer::time_point::max());
}

asio::awaitable<CallResult> WorkerPool::run(CallPointer call) {
  call->executor = co_await asio::this_coro::executor;
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(CallResult)>(
      [](auto handler, std::shared_ptr<WorkerPool> pool, CallPointer waiting) {
        auto shared = std::make_shared<decltype(handler)>(std::move(handler));
        waiting->complete = [shared, executor = waiting->executor](CallResult result) {
          asio::post(executor, [shared, result = std::move(result)]() mutable {
            std::move (*shared)(std::move(result));
          });
        };
        auto* raw = pool.get();
        asio::dispatch(raw->strand_,
                       [pool = std::move(pool), waiting = std::move(waiting)]() mutable {
                         pool->submit(std::move(waiting));
                       });
      },
      asio::use_awaitable, shared_from_this(), std::move(call));
}

void WorkerPool::submit(CallPointer call) {
  if (call->is_nested) {
    queue_.push_front(std::move(call));
  } else if (is_closing_) {
    call->finish(failed(Error(ErrorCode::kClosing, "the server is shutting down")));
    return;
  } else if (queue_.size() >= static_cast<std::size_t>(settings_.limits.max_queued_calls)) {
    call->finish(failed(Error(ErrorCode::kTooManyRequests, "too many requests")));
    return;
  } else {
    queue_.push_back(std::move(call));
  }
  dispatch();
  schedule_tick();
}

void WorkerPool::dispatch() {
  while (!queue_.empty()) {
    const WorkerPointer worker = least_loaded(queue_.front()->is_nested);
    if (worker == nullptr) {
      grow();
      return;
    }
    const CallPointer call = std::move(queue_.front());
    queue_.pop_front();
    if (call->is_finished()) continue;
    worker->send(call);
  }
}

WorkerPool::WorkerPointer WorkerPool::least_loaded(bool any_load) const {
  const auto limit = static_cast<std::size_t>(settings_.limits.max_calls_per_worker);
  WorkerPointer best;
  for (const WorkerPointer& worker : workers_) {
    if (worker->state() != WorkerState::kReady || worker->is_stalled()) continue;
    if (!any_load && worker->load() >= limit) continue;
    if (best == nullptr || worker->load() < best->load()) best = worker;
  }
  return best;
}

bool WorkerPool::are_all_busy(Clock::time_point now) const {
  return !workers_.empty() &&
         std::all_of(workers_.begin(), workers_.end(), [now](const auto& worker) {
           return worker->state() != WorkerState::kReady || worker->is_stalled() ||
                  worker->is_busy(now);
         });
}

// One more worker, unless one is being started already.
void WorkerPool::grow() {
  if (is_closing_ || starting_ > 0 || Clock::now() < next_start_) return;
  if (workers_.size() >= static_cast<std::size_t>(settings_.limits.max_workers)) return;
  start_worker();
}

Worker::Handlers WorkerPool::handlers() {
  const std::weak_ptr<WorkerPool> weak = weak_from_this();
  Worker::Handlers result;
  result.on_ready = [weak](Worker&, bson::View frame) {
    if (const auto pool = weak.lock()) pool->on_ready(frame);
  };
  result.on_progress = [weak](Worker&) {
    const auto pool = weak.lock();
    if (pool == nullptr) return;
    pool->dispatch();
    if (pool->is_closing_) pool->notify();
  };
  result.on_operation = [weak](Worker& worker, const CallPointer& call, bson::View frame) {
    if (const auto pool = weak.lock()) pool->on_operation(worker, call, frame);
  };
  result.on_console = [weak](const CallPointer& call, std::string_view line, bool is_error) {
    const auto pool = weak.lock();
    if (pool == nullptr || !pool->settings_.console) return;
    pool->settings_.console(pool->settings_.app, call->name, line, is_error);
  };
  result.on_end = [weak](Worker& worker, WorkerEnd end) {
    if (const auto pool = weak.lock()) pool->on_end(worker, std::move(end));
  };
  return result;
}

void WorkerPool::start_worker() {
  auto process = start_worker_process(settings_.process);
  if (!process) {
    RESTITCH_LOG(kError, kFunction, 7001, "Function worker cannot be started",
                 {"app", settings_.app}, {"error", process.error().detail()});
    note_failure(false, Clock::now());
    return;
  }
  start_counter.add();
  worker_gauge.add(1);
  ++starting_;
  auto worker = std::make_shared<Worker>(strand_, std::move(*process), settings_.app, handlers());
  workers_.push_back(worker);
  worker->start(settings_.init_frame);
  schedule_tick();
}

void WorkerPool::on_ready(bson::View frame) {
  --starting_;
  if (!remarks_) remarks_ = parse_source_remarks(frame);
  dispatch();
  notify();
}

void WorkerPool::on_operation(Worker& worker, const CallPointer& call, bson::View frame) {
  ++live_operations_;
  asio::co_spawn(call->executor, operations_(call, bson::Document(frame)),
                 asio::bind_executor(
                     strand_, [pool = shared_from_this(), target = worker.shared_from_this(), call](
                                  std::exception_ptr failure, std::vector<std::string> frames) {
                       if (failure == nullptr) target->answer(call, std::move(frames));
                       --pool->live_operations_;
                       if (pool->is_closing_) pool->notify();
                     }));
}

void WorkerPool::on_end(Worker& worker, WorkerEnd end) {
  worker_gauge.add(-1);
  if (!end.was_ready) --starting_;
  const Clock::time_point started_at = worker.started_at();
  std::erase_if(workers_, [&worker](const auto& item) { return item.get() == &worker; });
  end_counter.add(static_cast<double>(end.interrupted.size()));
  const Error error = interruption(end);
  for (const CallPointer& call : end.interrupted) call->finish(failed(error));
  if (!is_closing_) note_failure(end.was_ready, started_at);
  requeue(std::move(end.unstarted));
  notify();
}

// Slows further starts down while workers do not live long.
void WorkerPool::note_failure(bool was_ready, Clock::time_point started_at) {
  const Clock::time_point now = Clock::now();
  if (was_ready && now - started_at > kShortLife) {
    failures_ = 0;
    return;
  }
  const auto wait = std::min(kLongestBackOff, kFirstBackOff * (1 << std::min(failures_, 7)));
  // The first replacement comes at once.
  next_start_ = was_ready && failures_ == 0 ? now : now + wait;
  ++failures_;
  if (!was_ready && failures_ >= kFailuresBeforeRefusal) {
    fail_queue(Error(ErrorCode::kInternal, "the function worker cannot be started"));
  }
}

void WorkerPool::requeue(std::vector<CallPointer> calls) {
  for (auto call = calls.rbegin(); call != calls.rend(); ++call)
    queue_.push_front(std::move(*call));
  dispatch();
  schedule_tick();
}

void WorkerPool::fail_queue(const Error& error) {
  std::deque<CallPointer> queue;
  queue.swap(queue_);
  for (const CallPointer& call : queue) call->finish(failed(error));
  notify();
}

bool WorkerPool::is_quiet() const {
  return queue_.empty() && starting_ == 0 && workers_.size() <= 1 &&
         std::all_of(workers_.begin(), workers_.end(),
                     [](const auto& item) { return item->load() == 0; });
}

// Ticks go on until nothing needs to be watched.
void WorkerPool::schedule_tick() {
  if (is_ticking_ || is_closed_) return;
  is_ticking_ = true;
  ticker_.expires_after(kTick);
  ticker_.async_wait([pool = shared_from_this()](boost::system::error_code error) {
    pool->is_ticking_ = false;
    if (!error) pool->tick();
  });
}

void WorkerPool::tick() {
  const Clock::time_point now = Clock::now();
  const std::vector<WorkerPointer> workers = workers_;
  for (const WorkerPointer& worker : workers) {
    if (worker->state() == WorkerState::kStarting && now - worker->started_at() > kStartTime) {
      worker->kill();
    }
    std::vector<CallPointer> unstarted = worker->tick(now);
    if (!unstarted.empty()) requeue(std::move(unstarted));
  }
  end_overdue_queue(now);
  dispatch();
  if (are_all_busy(now)) grow();
  end_idle_workers(now);
  if (!is_quiet()) schedule_tick();
}

void WorkerPool::end_overdue_queue(Clock::time_point now) {
  std::erase_if(queue_, [now](const CallPointer& call) {
    if (now < call->deadline) return false;
    call->finish(failed(Error(ErrorCode::kExecutionTimeLimit, "execution time limit exceeded")));
    return true;
  });
}

void WorkerPool::end_idle_workers(Clock::time_point now) {
  std::size_t ready = 0;
  for (const WorkerPointer& worker : workers_)
    ready += worker->state() == WorkerState::kReady ? 1 : 0;
  for (const WorkerPointer& worker : workers_) {
    if (ready <= 1) return;
    if (worker->state() != WorkerState::kReady || worker->load() > 0) continue;
    if (now - worker->idle_since() < kIdleTime) continue;
    worker->stop();
    --ready;
  }
}

void WorkerPool::notify() { changed_.cancel(); }

asio::awaitable<void> WorkerPool::wait_for_change() {
  co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
}

Task<SourceRemarks> WorkerPool::warm() {
  using Outcome = std::optional<Result<SourceRemarks>>;
  co_return *co_await asio::co_spawn(
      strand_,
      [](std::shared_ptr<WorkerPool> pool) -> asio::awaitable<Outcome> {
        Result<SourceRemarks> result = co_await pool->warm_on_strand();
        co_return Outcome(std::move(result));
      }(shared_from_this()),
      asio::use_awaitable);
}

Task<SourceRemarks> WorkerPool::warm_on_strand() {
  while (!remarks_) {
    if (is_closing_) co_return Error(ErrorCode::kClosing, "the server is shutting down");
    if (failures_ >= kFailuresBeforeRefusal) {
      co_return Error(ErrorCode::kInternal, "the function worker cannot be started");
    }
    grow();
    if (starting_ == 0) {
      asio::steady_timer pause(strand_, kFirstBackOff);
      co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
    } else {
      co_await wait_for_change();
    }
  }
  co_return *remarks_;
}

asio::awaitable<void> WorkerPool::stop() {
  co_await asio::co_spawn(
      strand_,
      [](std::shared_ptr<WorkerPool> pool) { return pool->stop_on_strand(); }(shared_from_this()),
      asio::use_awaitable);
}

asio::awaitable<void> WorkerPool::stop_on_strand() {
  is_closing_ = true;
  notify();
  const auto has_calls = [this] {
    return !queue_.empty() || std::any_of(workers_.begin(), workers_.end(),
                                          [](const auto& worker) { return worker->load() > 0; });
  };
  while (has_calls()) {
    // Calls that no worker will take any more must not wait for one.
    if (workers_.empty()) fail_queue(Error(ErrorCode::kClosing, "the server is shutting down"));
    if (has_calls()) co_await wait_for_change();
  }
  const std::vector<WorkerPointer> workers = workers_;
  for (const WorkerPointer& worker : workers) worker->stop();
  asio::steady_timer limit(strand_, kStopTime);
  limit.async_wait([pool = shared_from_this()](boost::system::error_code error) {
    if (error) return;
    for (const WorkerPointer& worker : pool->workers_) worker->kill();
  });
  while (!workers_.empty() || live_operations_ > 0) co_await wait_for_change();
  limit.cancel();
  is_closed_ = true;
  ticker_.cancel();
}

}  // namespace restitch::functions
