#include <boost/asio/as_tuple.hpp>

#include "app/cron.h"
#include "base/log.h"
#include "triggers/runner.h"

namespace restitch::triggers {
namespace {

using std::chrono::milliseconds;

constexpr std::int64_t kMinuteMillis = 60'000;
// Missed runs that are made up for; older ones are left out.
constexpr std::int64_t kMostMissedRuns = 100;
// A clock may be set while it is waited.
constexpr milliseconds kLongestWait{15'000};

std::int64_t now_millis() {
  return std::chrono::duration_cast<milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Runs that were due and not made, the last kMostMissedRuns of them.
class MissedRuns {
 public:
  MissedRuns(const app::Schedule& schedule, std::int64_t last, std::int64_t now_minute) {
    auto due = schedule.next_after(last);
    while (due && *due <= now_minute) {
      ++count_;
      first_ = count_ > kMostMissedRuns ? schedule.next_after(first_).value_or(*due)
               : count_ == 1            ? *due
                                        : first_;
      due = schedule.next_after(*due);
    }
  }

  std::int64_t left_out() const { return std::max<std::int64_t>(0, count_ - kMostMissedRuns); }
  // The first one that is made up for.
  std::int64_t first() const { return first_; }

 private:
  std::int64_t count_ = 0, first_ = 0;
};

class ScheduleRunner final : public Runner {
 public:
  ScheduleRunner(asio::any_io_executor executor, RunnerContext context, app::TriggerConfig config,
                 deployment::DeployedAppPtr app, bson::ObjectId id)
      : Runner(executor, std::move(context), std::move(config), std::move(app), id),
        due_timer_(executor) {}

 protected:
  Task<void> serve() override;
  void interrupt() override { due_timer_.cancel(); }

 private:
  asio::awaitable<void> wait_until(std::int64_t minute);
  Task<bool> run(std::int64_t minute);

  asio::steady_timer due_timer_;
};

asio::awaitable<void> ScheduleRunner::wait_until(std::int64_t minute) {
  while (!is_interrupted()) {
    const std::int64_t left = minute * kMinuteMillis - now_millis();
    if (left <= 0) co_return;
    due_timer_.expires_after(std::min(milliseconds(left), kLongestWait));
    co_await due_timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}

// Whether the trigger goes on.
Task<bool> ScheduleRunner::run(std::int64_t minute) {
  bson::Document no_argument;
  const Delivered delivered = co_await deliver_event(std::move(no_argument));
  if (delivered == Delivered::kNot) co_return false;
  Progress progress;
  progress.last_run = minute;
  progress.delivered = 1;
  progress.failed = delivered == Delivered::kSucceeded ? 0 : 1;
  co_await save(std::move(progress));
  if (delivered != Delivered::kMustSuspend) co_return true;
  co_await suspend_after_failure();
  co_return false;
}

Task<void> ScheduleRunner::serve() {
  const auto schedule = app::Schedule::parse(config().schedule);
  std::string problem =
      schedule ? problem_of_processor() : app::problem_of_schedule(config().schedule);
  if (!problem.empty()) {
    co_await suspend(std::move(problem), std::nullopt);
    co_return Status();
  }
  co_await note_success();
  const std::int64_t begun = now_millis() / kMinuteMillis;
  std::int64_t last = held().last_run.value_or(begun);
  const MissedRuns missed(*schedule, last, begun);
  if (missed.left_out() > 0) {
    RESTITCH_LOG(kWarning, kApp, 2114, "Scheduled runs left out", {"app", app()->client_app_id},
                 {"trigger", held().name}, {"runs", missed.left_out()});
    last = missed.first() - 1;
  }
  while (!is_interrupted()) {
    const auto due = schedule->next_after(last);
    if (!due) {
      co_await suspend("the schedule never comes", std::nullopt);
      co_return Status();
    }
    co_await wait_until(*due);
    if (is_interrupted()) break;
    RESTITCH_CO_TRY(const bool goes_on, co_await run(*due));
    if (!goes_on) break;
    last = *due;
  }
  co_return Status();
}

}  // namespace

RunnerPtr make_schedule_runner(asio::any_io_executor executor, RunnerContext context,
                               app::TriggerConfig config, deployment::DeployedAppPtr app,
                               bson::ObjectId id) {
  return std::make_shared<ScheduleRunner>(executor, std::move(context), std::move(config),
                                          std::move(app), id);
}

}  // namespace restitch::triggers
