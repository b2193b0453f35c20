#include "triggers/runner.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "base/log.h"

namespace restitch::triggers {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstPause{200};
constexpr milliseconds kLongestPause{30000};
// So many refusals by a source, one behind the other, are no passing trouble.
constexpr int kFailuresBeforeSuspension = 6;

milliseconds pause_after(int failures) {
  milliseconds pause = kFirstPause;
  for (int i = 1; i < failures && pause < kLongestPause; ++i) pause *= 2;
  return std::min(pause, kLongestPause);
}

// A source that cannot be reached is waited for as long as it takes.
bool is_outage(const Error& error) { return error.code() != ErrorCode::kMongo; }

}  // namespace

Runner::Runner(asio::any_io_executor executor, RunnerContext context, app::TriggerConfig config,
               deployment::DeployedAppPtr app, bson::ObjectId id)
    : executor_(executor),
      context_(std::move(context)),
      config_(std::move(config)),
      app_(std::move(app)),
      id_(id),
      gate_(executor),
      timer_(executor),
      lease_timer_(executor) {}

void Runner::start() {
  asio::post(executor_, [self = shared_from_this()] { self->gate_.spawn(run(self)); });
}

void Runner::use(deployment::DeployedAppPtr app) {
  asio::post(executor_, [self = shared_from_this(), app = std::move(app)]() mutable {
    self->app_ = std::move(app);
  });
}

void Runner::wake() {
  asio::post(executor_, [self = shared_from_this()] {
    ++self->wakes_;
    self->timer_.cancel();
    self->lease_timer_.cancel();
    self->woken();
  });
}

void Runner::end() {
  asio::post(executor_, [self = shared_from_this()] { self->end_here(); });
}

void Runner::end_here() {
  is_ending_ = true;
  timer_.cancel();
  lease_timer_.cancel();
  if (is_serving_) interrupt();
}

asio::awaitable<void> Runner::stop() {
  auto stopping = stop_here(shared_from_this());
  co_await asio::co_spawn(executor_, std::move(stopping), asio::use_awaitable);
}

// What ends serve() may need the gate: it closes last.
asio::awaitable<void> Runner::stop_here(std::shared_ptr<Runner> self) {
  self->end_here();
  co_await self->gate_.close();
  self->app_.reset();
  self->is_over_.store(true);
}

asio::awaitable<void> Runner::pause(milliseconds time) {
  if (is_ending_) co_return;
  timer_.expires_after(time);
  co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> Runner::run(std::shared_ptr<Runner> self) {
  const milliseconds look = self->context_.options.lease_time / 3;
  while (!self->is_ending_) {
    const std::int64_t wakes = self->wakes_;
    auto record = co_await self->context_.store.acquire(self->id_, self->context_.options.node,
                                                        self->context_.options.lease_time);
    const bool has_turn = record && *record && (*record)->state == TriggerState::kRunning;
    if (!has_turn) {
      if (wakes == self->wakes_) co_await self->pause(look);
      continue;
    }
    self->held_ = std::move(**record);
    co_await self->serve_once();
  }
  auto released = co_await self->context_.store.release(self->id_, self->context_.options.node);
  static_cast<void>(released);  // it runs out by itself
}

asio::awaitable<void> Runner::serve_once() {
  is_serving_ = true;
  is_interrupted_ = false;
  gate_.spawn(keep_lease(shared_from_this(), ++turn_));
  auto served = co_await serve();
  is_serving_ = false;
  lease_timer_.cancel();
  if (served || is_interrupted()) {
    failures_ = 0;
    co_return;
  }
  ++failures_;
  RESTITCH_LOG(kWarning, kApp, 2110, "Trigger interrupted", {"app", app_->client_app_id},
               {"trigger", held_.name}, {"error", served.error().message()});
  if (!is_outage(served.error()) && failures_ >= kFailuresBeforeSuspension) {
    failures_ = 0;
    co_await suspend(served.error().message(), std::nullopt);
    co_return;
  }
  auto noted = co_await context_.store.note(id_, served.error().message());
  static_cast<void>(noted);
  held_.reason = served.error().message();
  co_await pause(pause_after(failures_));
}

// While serve() runs: it is interrupted when the lease is lost or the record has changed.
asio::awaitable<void> Runner::keep_lease(std::shared_ptr<Runner> self, std::int64_t turn) {
  const milliseconds interval = self->context_.options.lease_time / 4;
  auto lease_end = std::chrono::steady_clock::now() + self->context_.options.lease_time;
  const auto is_over = [&] {
    return self->turn_ != turn || !self->is_serving_ || self->is_interrupted();
  };
  while (!is_over()) {
    self->lease_timer_.expires_after(interval);
    co_await self->lease_timer_.async_wait(asio::as_tuple(asio::use_awaitable));
    if (is_over()) co_return;
    const auto asked = std::chrono::steady_clock::now();
    auto record = co_await self->context_.store.acquire(self->id_, self->context_.options.node,
                                                        self->context_.options.lease_time);
    if (is_over()) co_return;
    if (!record && asked < lease_end) continue;
    const bool is_same = record && *record && (*record)->state == TriggerState::kRunning &&
                         (*record)->generation == self->held_.generation;
    if (!is_same) co_return self->interrupt_serving();
    lease_end = asked + self->context_.options.lease_time;
  }
}

void Runner::interrupt_serving() {
  if (is_interrupted_) return;
  is_interrupted_ = true;
  if (is_serving_) interrupt();
}

std::string Runner::problem_of_processor() const {
  if (!config_.function.empty()) return {};
  if (!config_.event_bus) return "the trigger has no event processor";
  if (context_.event_bridge.has_gateway()) return {};
  return "AWS_EVENTBRIDGE needs a gateway: serve --service-gateway AWS_EVENTBRIDGE=URL";
}

asio::awaitable<Delivered> Runner::deliver_event(bson::Document event) {
  const DeliveryContext context{context_, held_, config_, [this] { return app_; },
                                [this] { return is_interrupted(); }};
  Delivery delivery = co_await deliver(context, std::move(event));
  if (delivery.outcome == Delivered::kMustSuspend) failure_ = std::move(delivery.reason);
  co_return delivery.outcome;
}

asio::awaitable<void> Runner::suspend_after_failure() {
  co_await suspend(std::exchange(failure_, {}), std::nullopt);
}

asio::awaitable<void> Runner::save(Progress progress) {
  auto saved = co_await context_.store.save_progress(held_, std::move(progress));
  if (saved && !*saved) interrupt_serving();
}

asio::awaitable<void> Runner::suspend(std::string reason, std::optional<Place> place) {
  RESTITCH_LOG(kError, kApp, 2111, "Trigger suspended", {"app", app_->client_app_id},
               {"trigger", held_.name}, {"reason", reason});
  log_event(reason);
  Change change;
  change.state = TriggerState::kSuspended;
  change.reason = std::move(reason);
  change.place = std::move(place);
  auto changed = co_await context_.store.change(id_, std::move(change), held_.generation);
  static_cast<void>(changed);  // if the store is away, the next turn finds the same
  interrupt_serving();
}

asio::awaitable<void> Runner::begin_anew(Gap gap, Place place) {
  RESTITCH_LOG(kWarning, kApp, 2112, "Trigger missed changes and goes on with new ones",
               {"app", app_->client_app_id}, {"trigger", held_.name}, {"reason", gap.reason});
  log_event("changes were missed: " + gap.reason);
  Change change;
  change.gap = std::move(gap);
  change.place = std::move(place);
  auto changed = co_await context_.store.change(id_, std::move(change), held_.generation);
  static_cast<void>(changed);
  interrupt_serving();
}

asio::awaitable<void> Runner::note_success() {
  failures_ = 0;
  if (held_.reason.empty()) co_return;
  held_.reason.clear();
  auto noted = co_await context_.store.note(id_, "");
  static_cast<void>(noted);
}

void Runner::log_event(std::string_view error) {
  bson::Builder entry;
  entry.append("event_subscription_id", shown_id(*app_, held_.name).to_hex());
  entry.append("event_subscription_name", held_.name).append("error", error);
  entry.append("error_code", "TriggerFailure");
  context_.logs.add_entry(app_->id, app_->group_id, "TRIGGER_FAILURE", std::move(entry).finish());
}

}  // namespace restitch::triggers
