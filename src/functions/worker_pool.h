#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "functions/call.h"
#include "functions/function_service.h"
#include "functions/worker.h"

namespace restitch::functions {

// Serves one frame of a running call (`op`, `session`, `getUser`); gives the answering frames. Runs
// on the executor of the call.
using OperationHandler =
    std::function<asio::awaitable<std::vector<std::string>>(CallPointer, bson::Document frame)>;

struct PoolSettings {
  ProcessSettings process;
  FunctionLimits limits;
  std::string app;      // for logs
  ConsoleSink console;  // may be empty
  std::string init_frame;
};

// The workers of one app: starts, routes, watches and ends them. Everything lives on one strand;
// the public functions may be called from any thread.
class WorkerPool : public std::enable_shared_from_this<WorkerPool> {
 public:
  WorkerPool(asio::any_io_executor executor, PoolSettings settings, OperationHandler operations);

  // The outcome of a call. `call->complete` and `executor` are set here.
  asio::awaitable<CallResult> run(CallPointer call);
  // Waits until a worker is ready.
  Task<SourceRemarks> warm();
  // Lets running calls end, then ends the workers.
  asio::awaitable<void> stop();

 private:
  using WorkerPointer = std::shared_ptr<Worker>;

  void submit(CallPointer call);
  void dispatch();
  // The ready worker with the fewest calls; `any_load` disregards the limit of calls.
  WorkerPointer least_loaded(bool any_load) const;
  bool are_all_busy(Clock::time_point now) const;
  void grow();
  void start_worker();
  Worker::Handlers handlers();

  void on_ready(bson::View frame);
  void on_operation(Worker& worker, const CallPointer& call, bson::View frame);
  void on_end(Worker& worker, WorkerEnd end);
  void note_failure(bool was_ready, Clock::time_point started_at);
  void requeue(std::vector<CallPointer> calls);
  void fail_queue(const Error& error);

  void schedule_tick();
  void tick();
  void end_overdue_queue(Clock::time_point now);
  void end_idle_workers(Clock::time_point now);
  bool is_quiet() const;

  Task<SourceRemarks> warm_on_strand();
  asio::awaitable<void> stop_on_strand();
  asio::awaitable<void> wait_for_change();
  void notify();

  asio::strand<asio::any_io_executor> strand_;
  PoolSettings settings_;
  OperationHandler operations_;

  std::vector<WorkerPointer> workers_;
  std::deque<CallPointer> queue_;
  std::size_t starting_ = 0;
  int failures_ = 0;  // starts without success, in a row
  Clock::time_point next_start_{};
  std::optional<SourceRemarks> remarks_;
  std::size_t live_operations_ = 0;
  bool is_closing_ = false, is_closed_ = false;
  bool is_ticking_ = false;
  asio::steady_timer ticker_;
  asio::steady_timer changed_;
};

}  // namespace restitch::functions
