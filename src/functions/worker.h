#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "functions/call.h"
#include "functions/output_capture.h"
#include "functions/worker_link.h"
#include "functions/worker_process.h"

namespace restitch::functions {

using Clock = std::chrono::steady_clock;

enum class WorkerState : std::uint8_t { kStarting, kReady, kStopping, kEnded };

// How a worker ended, and what becomes of its calls.
struct WorkerEnd {
  std::vector<CallPointer> unstarted;  // may go to another worker
  std::vector<CallPointer> interrupted;
  bool was_ready = false;
  bool ran_out_of_memory = false;
};

// One worker process and the calls given to it. Lives on the pool's strand.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  struct Handlers {
    std::function<void(Worker&, bson::View frame)> on_ready;
    std::function<void(Worker&)> on_progress;  // a call ended or a ping came back
    // An `op`, `session` or `getUser` frame of a running call.
    std::function<void(Worker&, const CallPointer&, bson::View frame)> on_operation;
    std::function<void(Worker&, WorkerEnd)> on_end;
    // A console line of a running call.
    std::function<void(const CallPointer&, std::string_view line, bool is_error)> on_console;
  };

  Worker(asio::any_io_executor executor, WorkerProcess process, std::string app, Handlers handlers);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start(std::string init_frame);
  void send(const CallPointer& call);
  void send_frame(std::string frame) { link_->send(std::move(frame)); }
  // The answer to an operation; dropped when the call is over.
  void answer(const CallPointer& call, std::vector<std::string> frames);
  void stop();
  void kill();

  // Periodic work: pings while calls run, ends calls that are over their time. Calls that a stalled
  // worker has not begun are taken back and returned.
  std::vector<CallPointer> tick(Clock::time_point now);

  WorkerState state() const { return state_; }
  std::size_t load() const { return calls_.size(); }
  bool is_stalled() const { return is_stalled_; }
  // Whether its event loop lags behind.
  bool is_busy(Clock::time_point now) const;
  Clock::time_point idle_since() const { return idle_since_; }
  Clock::time_point started_at() const { return started_at_; }
  std::int64_t pid() const { return pid_; }

 private:
  struct Running {
    CallPointer call;
    bool is_given_up = false;  // answered already; the worker must let go of it
    Clock::time_point kill_at{};
  };

  void on_frame(bson::View frame);
  void on_answer(bson::View frame);
  void on_link_end(const std::string& reason);
  void watch_process();
  void on_process_end();
  void end_overdue_calls(Clock::time_point now);
  void check_pulse(Clock::time_point now);
  std::vector<CallPointer> take_back_unstarted();
  Running* find(std::int64_t number);
  void forget(std::int64_t number);

  asio::any_io_executor executor_;
  Handlers handlers_;
  std::shared_ptr<WorkerLink> link_;
  std::shared_ptr<OutputCapture> output_, errors_;
  OwnedDescriptor ticket_write_, ticket_read_;
  asio::posix::stream_descriptor handle_;
  pid_t pid_;
  std::string app_;

  WorkerState state_ = WorkerState::kStarting;
  std::map<std::int64_t, Running> calls_;
  std::int64_t last_number_ = 0;
  Clock::time_point started_at_, idle_since_;

  std::int64_t last_ping_ = 0;
  bool is_ping_open_ = false;
  Clock::time_point ping_sent_at_{};
  Clock::duration last_ping_time_{};
  bool is_stalled_ = false;
};

}  // namespace restitch::functions
