#include "datasource/change_hub.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <vector>

#include "base/log.h"
#include "datasource/watch.h"
#include "runtime/gate.h"
#include "runtime/metrics.h"

namespace restitch::datasource {
namespace {

using boost::system::error_code;

constexpr std::size_t kMaxWaitingEvents = 1'000;
constexpr std::size_t kMaxWaitingBytes = 16U << 20U;
constexpr std::chrono::seconds kSignOfLife{15};
constexpr std::size_t kMaxWatchers = 20'000;
// A watcher whose queue is full is waited for in steps of a millisecond: while it takes events, and
// not longer than half a second before it has caught up.
constexpr std::chrono::milliseconds kStep{1};
constexpr int kMaxStalledSteps = 100;
constexpr int kMaxWaitedSteps = 500;

metrics::Gauge& watchers() {
  static metrics::Gauge gauge("restitch_change_watchers", "Watchers of change streams");
  return gauge;
}

metrics::Counter& cut_off() {
  static metrics::Counter counter("restitch_change_watchers_cut_off_total",
                                  "Watchers that were too slow");
  return counter;
}

Error too_slow() {
  return Error(ErrorCode::kTooManyRequests, "the watcher did not keep up with the changes");
}
Error closing() { return Error(ErrorCode::kClosing, "the server is shutting down"); }

bool is_before(bson::Timestamp a, bson::Timestamp b) {
  return a.seconds != b.seconds ? a.seconds < b.seconds : a.increment < b.increment;
}

class Subscription final : public ChangeSubscription {
 public:
  Subscription(asio::any_io_executor executor, bson::Timestamp since)
      : channel_(std::move(executor), kMaxWaitingEvents + 1), since_(since) {  // and the end
    watchers().add(1);
  }
  ~Subscription() override { watchers().add(-1); }

  Task<ChangeEvent> next() override {
    const auto [error, event] =
        co_await channel_.async_receive(asio::as_tuple(asio::use_awaitable));
    if (!error && event) {
      waiting_bytes_.fetch_sub(event->bytes().size());
      taken_.fetch_add(1);
      co_return event;
    }
    channel_.close();
    const std::lock_guard lock(mutex_);
    if (failure_) co_return Error(*failure_);
    co_return ChangeEvent();
  }

  void close() override {
    is_closed_.store(true);
    channel_.close();
  }

  // ---- For the stream, one call at a time.

  bool is_closed() const { return is_closed_.load(); }

  // Whether there is no room for an event of that size, and waiting may help. Called once a step;
  // cuts off who is waited for in vain.
  bool is_behind(std::size_t size) {
    if (is_closed()) return false;
    const std::uint64_t taken = taken_.load();
    const std::uint64_t waiting = given_ - taken;
    if (waiting < kMaxWaitingEvents &&
        (waiting == 0 || waiting_bytes_.load() + size <= kMaxWaitingBytes)) {
      stalled_steps_ = 0;
      if (waiting <= kMaxWaitingEvents / 2) waited_steps_ = 0;
      return false;
    }
    stalled_steps_ = taken == last_taken_ ? stalled_steps_ + 1 : 0;
    last_taken_ = taken;
    ++waited_steps_;
    if (stalled_steps_ <= kMaxStalledSteps && waited_steps_ <= kMaxWaitedSteps) return true;
    cut_off().add();
    end_with(too_slow());
    return false;
  }

  // There is room for it.
  void give(const ChangeEvent& event) {
    const bson::ValueView time = event->view()["clusterTime"];
    if (time.type() == bson::Type::kTimestamp && !is_before(since_, time.get_timestamp())) return;
    waiting_bytes_.fetch_add(event->bytes().size());
    ++given_;
    static_cast<void>(channel_.try_send(error_code(), event));  // fails when it is closed
  }

  // Drops what waits: the watcher has lost the thread anyway.
  void end_with(Error failure) {
    {
      const std::lock_guard lock(mutex_);
      failure_ = std::move(failure);
    }
    is_closed_.store(true);
    channel_.cancel();
    channel_.close();
  }
  // What waits is still given: a channel that is closed would forget it.
  void end() {
    is_closed_.store(true);
    static_cast<void>(channel_.try_send(error_code(), ChangeEvent()));
  }

 private:
  asio::experimental::concurrent_channel<void(error_code, ChangeEvent)> channel_;
  const bson::Timestamp since_;
  std::atomic<std::size_t> waiting_bytes_{0};
  std::atomic<std::uint64_t> taken_{0};  // events
  std::uint64_t given_ = 0;              // the stream's, as what follows
  std::uint64_t last_taken_ = 0;
  int stalled_steps_ = 0;
  int waited_steps_ = 0;
  std::atomic<bool> is_closed_{false};
  std::mutex mutex_;
  std::optional<Error> failure_;
};

using SubscriptionPtr = std::shared_ptr<Subscription>;

WatchOptions with_look_up() {
  WatchOptions options;
  options.full_document = "updateLookup";
  return options;
}

// The one stream of a namespace. Runs on the hub's thread only.
class Stream {
 public:
  Stream(std::shared_ptr<DataSource> source, std::string database, std::string collection)
      : source_(std::move(source)),
        watch_(*source_, std::move(database), std::move(collection), with_look_up()) {}

  Task<void> open() { return watch_.open(); }
  std::size_t size() const { return subscriptions_.size(); }
  void add(SubscriptionPtr subscription) { subscriptions_.push_back(std::move(subscription)); }
  asio::awaitable<void> close() {
    auto closed = co_await watch_.close();
    static_cast<void>(closed);
  }

  // Hands events out until nobody is left, the stream ends or fails.
  asio::awaitable<void> run() {
    auto last_sign = std::chrono::steady_clock::now();
    while (drop_closed()) {
      auto batch = co_await watch_.next_batch();
      if (!batch) {
        for (const SubscriptionPtr& subscription : subscriptions_)
          subscription->end_with(batch.error());
        break;
      }
      for (bson::Document& event : *batch) {
        co_await make_room(event.bytes().size());
        hand_out(std::make_shared<const bson::Document>(std::move(event)));
      }
      const auto now = std::chrono::steady_clock::now();
      if (now - last_sign >= kSignOfLife) {
        last_sign = now;
        co_await make_room(0);
        hand_out(std::make_shared<const bson::Document>());
      }
      if (!watch_.has_ended()) continue;
      for (const SubscriptionPtr& subscription : subscriptions_) subscription->end();
      break;
    }
    subscriptions_.clear();
  }

 private:
  // A burst may be larger than a queue: readers that are at it are given the time.
  asio::awaitable<void> make_room(std::size_t size) {
    while (is_one_behind(size)) {
      asio::steady_timer pause(co_await asio::this_coro::executor, kStep);
      co_await pause.async_wait(asio::use_awaitable);
    }
  }
  bool is_one_behind(std::size_t size) {
    bool found = false;
    for (const SubscriptionPtr& subscription : subscriptions_)
      found = subscription->is_behind(size) || found;
    return found;
  }

  void hand_out(const ChangeEvent& event) {
    for (const SubscriptionPtr& subscription : subscriptions_) {
      if (!subscription->is_closed()) subscription->give(event);
    }
  }

  // Whether somebody is left.
  bool drop_closed() {
    std::erase_if(subscriptions_,
                  [](const SubscriptionPtr& subscription) { return subscription->is_closed(); });
    return !subscriptions_.empty();
  }

  std::shared_ptr<DataSource> source_;
  Watch watch_;
  std::vector<SubscriptionPtr> subscriptions_;
};

// The newest time of the source; zero when it does not tell.
Task<bson::Timestamp> newest_time(DataSource& source) {
  bson::Document hello = bson::make_document("hello", std::int32_t{1});
  RESTITCH_CO_TRY(const bson::Document reply, co_await source.run("admin", std::move(hello)));
  const bson::ValueView time = reply.view().find_path("lastWrite.opTime.ts");
  co_return time.type() == bson::Type::kTimestamp ? time.get_timestamp() : bson::Timestamp{};
}

class Hub final : public ChangeHub, public std::enable_shared_from_this<Hub> {
 public:
  Hub(std::shared_ptr<DataSource> source, asio::any_io_executor executor)
      : source_(std::move(source)), executor_(executor), gate_(std::move(executor)) {}

  Task<std::shared_ptr<ChangeSubscription>> subscribe(std::string database,
                                                      std::string collection) override {
    RESTITCH_CO_TRY(const bson::Timestamp since, co_await newest_time(*source_));
    auto subscription = std::make_shared<Subscription>(executor_, since);
    auto joining =
        join(shared_from_this(), std::move(database), std::move(collection), subscription);
    Status joined = co_await asio::co_spawn(executor_, std::move(joining), asio::use_awaitable);
    if (!joined) co_return std::move(joined).error();
    co_return std::shared_ptr<ChangeSubscription>(std::move(subscription));
  }

  asio::awaitable<void> stop() override {
    auto stopping = stop_here(shared_from_this());
    co_await asio::co_spawn(executor_, std::move(stopping), asio::use_awaitable);
  }

 private:
  // ---- On the hub's thread.

  static Task<void> join(std::shared_ptr<Hub> self, std::string database, std::string collection,
                         SubscriptionPtr subscription) {
    if (self->gate_.is_closing()) co_return closing();
    std::size_t watching = 0;
    for (const std::shared_ptr<Stream>& stream : self->running_) watching += stream->size();
    if (watching >= kMaxWatchers) {
      co_return Error(ErrorCode::kTooManyRequests, "too many watchers of one data source");
    }
    const std::string name = database + "." + collection;
    const auto found = self->streams_.find(name);
    if (found != self->streams_.end()) {
      found->second->add(std::move(subscription));
      co_return Status();
    }
    auto stream =
        std::make_shared<Stream>(self->source_, std::move(database), std::move(collection));
    RESTITCH_CO_CHECK(co_await stream->open());
    stream->add(std::move(subscription));
    // While it opened, another watcher may have opened one too: then each has its own for once.
    const bool is_first = self->streams_.emplace(name, stream).second;
    if (!self->gate_.spawn(serve(self, name, stream, is_first))) co_return closing();
    co_return Status();
  }

  static asio::awaitable<void> serve(std::shared_ptr<Hub> self, std::string name,
                                     std::shared_ptr<Stream> stream, bool is_listed) {
    self->running_.push_back(stream);
    co_await stream->run();
    std::erase(self->running_, stream);
    if (is_listed) self->streams_.erase(name);
    co_await stream->close();
  }

  static asio::awaitable<void> stop_here(std::shared_ptr<Hub> self) {
    const std::vector<std::shared_ptr<Stream>> running = self->running_;
    for (const std::shared_ptr<Stream>& stream : running) co_await stream->close();
    co_await self->gate_.close();
  }

  std::shared_ptr<DataSource> source_;
  asio::any_io_executor executor_;
  runtime::Gate gate_;
  std::map<std::string, std::shared_ptr<Stream>> streams_;  // by namespace
  std::vector<std::shared_ptr<Stream>> running_;
};

}  // namespace

std::shared_ptr<ChangeHub> ChangeHub::create(std::shared_ptr<DataSource> source,
                                             runtime::IoThreads& threads) {
  return std::make_shared<Hub>(std::move(source), threads.next().get_executor());
}

std::shared_ptr<ChangeHub> ChangeHubs::of(const std::shared_ptr<DataSource>& source) {
  const std::lock_guard lock(mutex_);
  std::erase_if(hubs_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<ChangeHub>& known = hubs_[source.get()];
  std::shared_ptr<ChangeHub> hub = known.lock();
  if (!hub) {
    hub = ChangeHub::create(source, threads_);
    known = hub;
  }
  return hub;
}

asio::awaitable<void> ChangeHubs::stop() {
  std::vector<std::shared_ptr<ChangeHub>> alive;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [source, known] : hubs_) alive.push_back(known.lock());
  }
  for (const std::shared_ptr<ChangeHub>& hub : alive) {
    if (hub) co_await hub->stop();
  }
}

}  // namespace restitch::datasource
