#include "functions/worker.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "functions/frames.h"

namespace restitch::functions {

namespace {

constexpr std::chrono::milliseconds kStallTime{100};
constexpr std::chrono::milliseconds kBusyTime{15};
// How long a worker may take to let go of a call that is over its time.
constexpr std::chrono::milliseconds kYieldTime{1000};

}  // namespace

Worker::Worker(asio::any_io_executor executor, WorkerProcess process, std::string app,
               Handlers handlers)
    : executor_(executor),
      handlers_(std::move(handlers)),
      ticket_write_(std::move(process.ticket_write)),
      ticket_read_(std::move(process.ticket_read)),
      handle_(executor, process.handle.release()),
      pid_(process.pid),
      app_(std::move(app)),
      started_at_(Clock::now()),
      idle_since_(started_at_) {
  output_ = std::make_shared<OutputCapture>(executor, std::move(process.output), app_, pid_);
  errors_ = std::make_shared<OutputCapture>(executor, std::move(process.errors), app_, pid_);
  link_ = std::make_shared<WorkerLink>(
      executor, std::move(process.socket), [this](bson::View frame) { on_frame(frame); },
      [this](const std::string& reason) { on_link_end(reason); });
}

Worker::~Worker() {
  if (state_ == WorkerState::kEnded) return;
  kill_worker_process(pid_);
  ::waitpid(pid_, nullptr, 0);
}

void Worker::start(std::string init_frame) {
  output_->start();
  errors_->start();
  link_->start();
  link_->send(std::move(init_frame));
  watch_process();
}

void Worker::send(const CallPointer& call) {
  const std::int64_t number = ++last_number_;
  // The ticket first, so that it is there when the worker reads the call.
  if (::write(ticket_write_.get(), &number, sizeof number) != sizeof number) {
    RESTITCH_LOG(kError, kFunction, 7011, "Ticket pipe of a function worker is broken",
                 {"app", app_}, {"pid", std::int64_t{pid_}});
    calls_.emplace(number, Running{call});
    kill();
    return;
  }
  calls_.emplace(number, Running{call});
  std::string frame = call->frame;
  set_call_number(frame, number);
  link_->send(std::move(frame));
}

void Worker::answer(const CallPointer& call, std::vector<std::string> frames) {
  if (call->is_finished() || state_ == WorkerState::kEnded) return;
  for (std::string& frame : frames) link_->send(std::move(frame));
}

Worker::Running* Worker::find(std::int64_t number) {
  const auto found = calls_.find(number);
  return found == calls_.end() ? nullptr : &found->second;
}

void Worker::forget(std::int64_t number) {
  if (calls_.erase(number) == 0) return;
  if (calls_.empty()) {
    idle_since_ = Clock::now();
    is_ping_open_ = false;
    is_stalled_ = false;
    last_ping_time_ = {};
  }
  handlers_.on_progress(*this);
}

void Worker::on_frame(bson::View frame) {
  const std::string_view kind = frame["t"].as_string().value_or("");
  if (kind == "result" || kind == "error") {
    on_answer(frame);
  } else if (kind == "op" || kind == "session" || kind == "getUser") {
    const Running* running = find(frame["id"].as_integer().value_or(0));
    if (running != nullptr && !running->is_given_up) {
      const CallPointer call = running->call;
      handlers_.on_operation(*this, call, frame);
    }
  } else if (kind == "log") {
    const Running* running = find(frame["id"].as_integer().value_or(0));
    if (running != nullptr && !running->is_given_up) {
      handlers_.on_console(running->call, frame["line"].as_string().value_or(""),
                           frame["isError"].truthy());
    }
  } else if (kind == "pong") {
    if (is_ping_open_ && frame["n"].as_integer() == last_ping_) {
      is_ping_open_ = false;
      is_stalled_ = false;
      last_ping_time_ = Clock::now() - ping_sent_at_;
      handlers_.on_progress(*this);
    }
  } else if (kind == "cancelled") {
    forget(frame["id"].as_integer().value_or(0));
  } else if (kind == "ready" && state_ == WorkerState::kStarting) {
    state_ = WorkerState::kReady;
    idle_since_ = Clock::now();
    handlers_.on_ready(*this, frame);
  }
}

void Worker::on_answer(bson::View frame) {
  const std::int64_t number = frame["id"].as_integer().value_or(0);
  const Running* running = find(number);
  if (running == nullptr) return;
  const CallPointer call = running->call;
  if (!running->is_given_up) call->finish(parse_call_result(frame));
  forget(number);
}

void Worker::on_link_end(const std::string& reason) {
  if (!reason.empty()) {
    RESTITCH_LOG(kError, kFunction, 7012, "Function worker broke the protocol", {"app", app_},
                 {"pid", std::int64_t{pid_}}, {"reason", reason});
  }
  // The process may have ended already; a stopping one is ending.
  if (state_ != WorkerState::kStopping) kill();
}

void Worker::stop() {
  if (state_ == WorkerState::kEnded || state_ == WorkerState::kStopping) return;
  state_ = WorkerState::kStopping;
  link_->send(stop_frame());
}

void Worker::kill() {
  if (state_ != WorkerState::kEnded) kill_worker_process(pid_);
}

void Worker::watch_process() {
  handle_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](boost::system::error_code error) {
                       if (!error) self->on_process_end();
                     });
}

void Worker::on_process_end() {
  if (state_ == WorkerState::kEnded) return;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  output_->drain();
  errors_->drain();
  WorkerEnd end;
  end.was_ready = state_ != WorkerState::kStarting;
  end.ran_out_of_memory = errors_->saw_heap_exhaustion();
  const bool was_stopping = state_ == WorkerState::kStopping;
  state_ = WorkerState::kEnded;
  end.unstarted = take_back_unstarted();
  for (auto& [number, running] : calls_) {
    if (!running.is_given_up) end.interrupted.push_back(running.call);
  }
  calls_.clear();
  link_->close();
  output_->close();
  errors_->close();
  boost::system::error_code ignored;
  handle_.close(ignored);
  if (!was_stopping) {
    RESTITCH_LOG(kWarning, kFunction, 7013, "Function worker ended", {"app", app_},
                 {"pid", std::int64_t{pid_}}, {"status", status},
                 {"interruptedCalls", end.interrupted.size()});
  }
  handlers_.on_end(*this, std::move(end));
}

std::vector<CallPointer> Worker::take_back_unstarted() {
  std::vector<CallPointer> result;
  std::int64_t number = 0;
  while (::read(ticket_read_.get(), &number, sizeof number) == sizeof number) {
    const auto found = calls_.find(number);
    if (found == calls_.end()) continue;
    if (!found->second.is_given_up) result.push_back(found->second.call);
    calls_.erase(found);
  }
  return result;
}

bool Worker::is_busy(Clock::time_point now) const {
  if (calls_.empty()) return false;
  return last_ping_time_ > kBusyTime || (is_ping_open_ && now - ping_sent_at_ > kBusyTime);
}

std::vector<CallPointer> Worker::tick(Clock::time_point now) {
  if (state_ != WorkerState::kReady && state_ != WorkerState::kStopping) return {};
  end_overdue_calls(now);
  check_pulse(now);
  if (is_stalled_) return take_back_unstarted();
  return {};
}

void Worker::check_pulse(Clock::time_point now) {
  if (calls_.empty()) return;
  if (!is_ping_open_) {
    is_ping_open_ = true;
    ping_sent_at_ = now;
    link_->send(ping_frame(++last_ping_));
  } else if (now - ping_sent_at_ > kStallTime) {
    is_stalled_ = true;
  }
}

void Worker::end_overdue_calls(Clock::time_point now) {
  bool must_die = false;
  for (auto& [number, running] : calls_) {
    if (running.is_given_up) {
      must_die = must_die || now >= running.kill_at;
    } else if (now >= running.call->deadline) {
      running.is_given_up = true;
      running.kill_at = now + kYieldTime;
      running.call->finish(
          failed(Error(ErrorCode::kExecutionTimeLimit, "execution time limit exceeded")));
      link_->send(cancel_frame(number));
    }
  }
  if (must_die) kill();
}

}  // namespace restitch::functions
