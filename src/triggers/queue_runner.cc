#include <boost/asio/as_tuple.hpp>
#include <set>

#include "triggers/runner.h"

namespace restitch::triggers {
namespace {

constexpr std::int64_t kBatch = 64;
constexpr std::size_t kWindow = 32;
// Other nodes' events are noticed through the stream of the queue; this is for when it failed.
constexpr std::chrono::seconds kLook{5};

// An authentication trigger: its events wait in the store, where they came with the change of the
// user that they tell of.
class QueueRunner final : public Runner {
 public:
  QueueRunner(asio::any_io_executor executor, RunnerContext context, app::TriggerConfig config,
              deployment::DeployedAppPtr app, bson::ObjectId id)
      : Runner(executor, std::move(context), std::move(config), std::move(app), id),
        changed_(executor) {}

 protected:
  Task<void> serve() override;
  void interrupt() override { changed_.cancel(); }
  void woken() override {
    has_news_ = true;
    changed_.cancel();
  }

 private:
  std::shared_ptr<QueueRunner> self() {
    return std::static_pointer_cast<QueueRunner>(shared_from_this());
  }

  Task<bool> serve_batch();
  static asio::awaitable<void> give_one(std::shared_ptr<QueueRunner> self, QueuedEvent queued);
  asio::awaitable<void> wait(std::chrono::steady_clock::duration time);

  asio::steady_timer changed_;
  std::set<bson::ObjectId> open_;
  bool has_news_ = false;
  bool must_suspend_ = false;
};

asio::awaitable<void> QueueRunner::wait(std::chrono::steady_clock::duration time) {
  changed_.expires_after(time);
  co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
}

Task<void> QueueRunner::serve() {
  must_suspend_ = false;
  if (std::string problem = problem_of_processor(); !problem.empty()) {
    co_await suspend(std::move(problem), std::nullopt);
    co_return Status();
  }
  co_await note_success();
  Status outcome;
  while (!is_interrupted() && !must_suspend_) {
    has_news_ = false;
    auto more = co_await serve_batch();
    if (!more) {
      outcome = std::move(more).error();
      break;
    }
    if (*more || has_news_ || is_interrupted()) continue;
    co_await wait(kLook);
  }
  while (!open_.empty()) co_await wait(kLook);
  if (must_suspend_) co_await suspend_after_failure();
  co_return outcome;
}

// Whether there were events.
Task<bool> QueueRunner::serve_batch() {
  RESTITCH_CO_TRY(std::vector<QueuedEvent> events,
                  co_await context().store.queued_events(held(), kBatch));
  bool has_begun = false;
  for (QueuedEvent& event : events) {
    while (open_.size() >= kWindow && !is_interrupted()) co_await wait(kLook);
    if (is_interrupted()) break;
    if (!open_.insert(event.id).second) continue;
    has_begun = true;
    spawn(give_one(self(), std::move(event)));
  }
  // What is under way still stands in the store.
  while (!open_.empty() && !is_interrupted() &&
         static_cast<std::int64_t>(events.size()) == kBatch) {
    co_await wait(kLook);
  }
  co_return has_begun;
}

asio::awaitable<void> QueueRunner::give_one(std::shared_ptr<QueueRunner> self, QueuedEvent queued) {
  const Delivered delivered = co_await self->deliver_event(std::move(queued.event));
  if (delivered == Delivered::kMustSuspend) self->must_suspend_ = true;
  if (delivered != Delivered::kNot) {
    auto removed = co_await self->context().store.remove_queued(queued.id);
    static_cast<void>(removed);  // then it is delivered again
    Progress progress;
    progress.delivered = 1;
    progress.failed = delivered == Delivered::kSucceeded ? 0 : 1;
    co_await self->save(std::move(progress));
  }
  self->open_.erase(queued.id);
  self->has_news_ = true;
  self->changed_.cancel();
}

}  // namespace

RunnerPtr make_queue_runner(asio::any_io_executor executor, RunnerContext context,
                            app::TriggerConfig config, deployment::DeployedAppPtr app,
                            bson::ObjectId id) {
  return std::make_shared<QueueRunner>(executor, std::move(context), std::move(config),
                                       std::move(app), id);
}

}  // namespace restitch::triggers
