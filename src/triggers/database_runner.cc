#include <boost/asio/as_tuple.hpp>

#include "auth/store.h"
#include "base/log.h"
#include "datasource/watch.h"
#include "triggers/change_events.h"
#include "triggers/progress_window.h"
#include "triggers/runner.h"

namespace restitch::triggers {
namespace {

using Clock = std::chrono::steady_clock;

// Deliveries of one unordered trigger at once. More could not run: an app's workers take fewer.
constexpr std::size_t kWindow = 512;
constexpr std::size_t kWidestWindow = 4096;  // maximum_throughput
constexpr std::size_t kWindowBytes = 64U << 20U;
// An idle stream's place is stored so often, that it does not fall out of the source's log.
constexpr std::chrono::seconds kIdleSave{10};
constexpr std::chrono::milliseconds kShortestWait{20};

bson::Date now() {
  return bson::Date{std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
}

std::optional<bson::Timestamp> time_of(const bson::Document& event) {
  const bson::ValueView time = event["clusterTime"];
  return time.type() == bson::Type::kTimestamp ? std::optional(time.get_timestamp()) : std::nullopt;
}

bson::Document token_of(const bson::Document& event) {
  const auto token = event["_id"].as_object();
  return token ? bson::Document(*token) : bson::Document();
}

class DatabaseRunner final : public Runner {
 public:
  DatabaseRunner(asio::any_io_executor executor, RunnerContext context, app::TriggerConfig config,
                 deployment::DeployedAppPtr app, bson::ObjectId id,
                 std::shared_ptr<datasource::DataSource> source)
      : Runner(executor, std::move(context), std::move(config), std::move(app), id),
        source_(std::move(source)),
        changed_(executor) {}

 protected:
  Task<void> serve() override;
  void interrupt() override;

 private:
  using WatchPtr = std::shared_ptr<datasource::Watch>;

  std::shared_ptr<DatabaseRunner> self() {
    return std::static_pointer_cast<DatabaseRunner>(shared_from_this());
  }

  Status check_source();
  Task<void> follow(WatchPtr watch);
  asio::awaitable<void> recover(Error error);
  asio::awaitable<void> give(bson::Document event);
  static asio::awaitable<void> give_one(std::shared_ptr<DatabaseRunner> self, std::uint64_t number,
                                        bson::Document event);
  static asio::awaitable<void> save_progress(std::shared_ptr<DatabaseRunner> self);
  static asio::awaitable<void> close(std::shared_ptr<datasource::DataSource> source,
                                     WatchPtr watch);
  void note_progress();
  asio::awaitable<void> wait_for_change(Clock::duration at_most = std::chrono::hours(1));
  asio::awaitable<void> wait_until_settled();
  std::size_t window() const {
    if (!config().unordered) return 1;
    return config().maximum_throughput ? kWidestWindow : kWindow;
  }

  std::shared_ptr<datasource::DataSource> source_;
  asio::steady_timer changed_;  // cancelled when a delivery or a save ends
  WatchPtr watch_;
  EventShape shape_;
  ProgressWindow progress_;
  Clock::time_point saved_at_{};
  bool is_saving_ = false;
  bool must_suspend_ = false;  // because of a failed event
};

void DatabaseRunner::interrupt() {
  changed_.cancel();
  if (watch_) spawn(close(source_, watch_));
}

asio::awaitable<void> DatabaseRunner::close(std::shared_ptr<datasource::DataSource>,
                                            WatchPtr watch) {
  auto closed = co_await watch->close();
  static_cast<void>(closed);
}

// What no attempt later can change.
Status DatabaseRunner::check_source() {
  if (source_ == nullptr) {
    return Error(ErrorCode::kServiceNotFound, "data source not found: '" + config().source + "'");
  }
  if (source_->kind() != datasource::Kind::kCluster) {
    return Error(ErrorCode::kUnsupported,
                 "a serverless or federated data source has no change streams");
  }
  if (std::string problem = problem_of_processor(); !problem.empty()) {
    return Error(ErrorCode::kUnsupported, std::move(problem));
  }
  if (config().database == auth::kStateDatabase) {
    return Error(ErrorCode::kPermissionDenied, "the server's own database cannot be listened to");
  }
  auto shape = EventShape::compile(config());
  if (!shape) return std::move(shape).error().with_context("project");
  shape_ = std::move(*shape);
  return {};
}

Task<void> DatabaseRunner::serve() {
  must_suspend_ = false;
  progress_ = {};
  if (const Status checked = check_source(); !checked) {
    co_await suspend(checked.error().message(), std::nullopt);
    co_return Status();
  }
  if (config().full_document_before_change && !config().collection.empty()) {
    auto kept = co_await keep_former_states(*source_, config());
    if (!kept) co_return std::move(kept).error();
  }
  const Place place{held().token, held().start_at, std::nullopt};
  datasource::WatchOptions options = watch_options(config(), place);
  watch_ = std::make_shared<datasource::Watch>(*source_, config().database, config().collection,
                                               std::move(options));
  const WatchPtr watch = watch_;
  auto followed = co_await follow(watch);
  co_await wait_until_settled();
  watch_.reset();
  co_await close(source_, watch);
  if (must_suspend_) {
    co_await suspend_after_failure();
    co_return Status();
  }
  if (followed || is_interrupted()) co_return Status();
  if (datasource::lacks_change_streams(followed.error())) {
    co_await suspend("the data source has no change streams: " + followed.error().message(),
                     std::nullopt);
    co_return Status();
  }
  if (!is_place_lost(followed.error())) co_return std::move(followed).error();
  co_await recover(std::move(followed).error());
  co_return Status();
}

Task<void> DatabaseRunner::follow(WatchPtr watch) {
  RESTITCH_CO_CHECK(co_await watch->open());
  co_await note_success();
  while (!is_interrupted() && !must_suspend_) {
    const auto asked = Clock::now();
    RESTITCH_CO_TRY(std::vector<bson::Document> batch, co_await watch->next_batch());
    // A source that is closing does not wait for changes any more.
    if (batch.empty() && Clock::now() - asked < kShortestWait)
      co_await wait_for_change(kShortestWait);
    for (bson::Document& event : batch) {
      if (is_interrupted() || must_suspend_) co_return Status();
      if (event["operationType"].as_string() == "invalidate") {
        co_await wait_until_settled();
        Place behind;
        behind.token = token_of(event);
        co_await suspend("the collection or database was dropped or renamed", std::move(behind));
        co_return Status();
      }
      co_await give(std::move(event));
    }
    if (watch->has_ended()) {
      co_await wait_until_settled();
      co_await suspend("the stream of changes has ended", std::nullopt);
      co_return Status();
    }
    const bool is_due = Clock::now() - saved_at_ >= kIdleSave;
    if (progress_.size() == 0 && is_due && !watch->resume_token().empty()) {
      progress_.move_to(watch->resume_token());
      note_progress();
    }
  }
  co_return Status();
}

// The place where the trigger stood is no longer in the source's log.
asio::awaitable<void> DatabaseRunner::recover(Error error) {
  if (!config().tolerate_resume_errors) {
    co_await suspend(error.message(), std::nullopt);
    co_return;
  }
  Place fresh;
  auto place = co_await place_now(*source_, config());
  if (place) fresh = std::move(*place);
  Gap gap{held().cluster_time, now(), error.message()};
  co_await begin_anew(std::move(gap), std::move(fresh));
}

asio::awaitable<void> DatabaseRunner::give(bson::Document event) {
  while (progress_.open() >= window() || progress_.bytes() >= kWindowBytes) {
    if (is_interrupted()) co_return;
    co_await wait_for_change();
  }
  if (is_interrupted() || must_suspend_) co_return;
  const std::uint64_t number =
      progress_.take(token_of(event), time_of(event), event.bytes().size());
  if (config().unordered) {
    spawn(give_one(self(), number, std::move(event)));
  } else {
    co_await give_one(self(), number, std::move(event));
  }
}

asio::awaitable<void> DatabaseRunner::give_one(std::shared_ptr<DatabaseRunner> self,
                                               std::uint64_t number, bson::Document event) {
  auto shaped = self->shape_.apply(std::move(event));
  Delivered delivered = Delivered::kFailed;
  if (shaped) {
    delivered = co_await self->deliver_event(std::move(*shaped));
  } else {
    RESTITCH_LOG(kWarning, kApp, 2113, "Trigger's projection failed",
                 {"trigger", self->held().name}, {"error", shaped.error().message()});
  }
  if (delivered == Delivered::kMustSuspend) self->must_suspend_ = true;
  if (delivered == Delivered::kNot) {
    self->progress_.abandon(number);
  } else {
    self->progress_.finish(number, delivered != Delivered::kSucceeded);
  }
  self->note_progress();
}

// One save at a time stores the newest place.
void DatabaseRunner::note_progress() {
  changed_.cancel();
  if (is_saving_ || !progress_.has_progress()) return;
  is_saving_ = true;
  if (!spawn(save_progress(self()))) is_saving_ = false;
}

asio::awaitable<void> DatabaseRunner::save_progress(std::shared_ptr<DatabaseRunner> self) {
  while (self->progress_.has_progress()) {
    self->saved_at_ = Clock::now();
    Progress progress = self->progress_.take_progress();
    co_await self->save(std::move(progress));
  }
  self->is_saving_ = false;
  self->changed_.cancel();
}

asio::awaitable<void> DatabaseRunner::wait_for_change(Clock::duration at_most) {
  changed_.expires_after(at_most);
  co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> DatabaseRunner::wait_until_settled() {
  while (progress_.open() > 0 || is_saving_) co_await wait_for_change();
  if (!progress_.has_progress()) co_return;
  Progress last = progress_.take_progress();
  co_await save(std::move(last));
}

}  // namespace

RunnerPtr make_database_runner(asio::any_io_executor executor, RunnerContext context,
                               app::TriggerConfig config, deployment::DeployedAppPtr app,
                               bson::ObjectId id, std::shared_ptr<datasource::DataSource> source) {
  return std::make_shared<DatabaseRunner>(executor, std::move(context), std::move(config),
                                          std::move(app), id, std::move(source));
}

}  // namespace restitch::triggers
