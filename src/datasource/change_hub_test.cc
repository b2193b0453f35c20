#include "datasource/change_hub.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <future>
#include <thread>
#include <vector>

#include "datasource/embedded/test_cluster.h"

namespace restitch::datasource {
namespace {

using embedded::TestCluster;
using Subscription = std::shared_ptr<ChangeSubscription>;
using Ids = std::vector<std::int64_t>;

constexpr std::size_t kThreads = 3;
constexpr int kWatchers = 4;  // of each collection
constexpr int kWriters = 3;
constexpr int kWrites = 60;  // of each writer

// A hub over an embedded cluster, used from the loops of several threads.
class ChangeHubTest : public testing::Test {
 protected:
  ChangeHubTest() {
    threads_.start();
    hub_ = ChangeHub::create(source_, threads_);
  }
  ~ChangeHubTest() override {
    on_a_loop(hub_->stop()).get();
    hub_.reset();
    threads_.stop();
  }

  // Runs `work` on the loop of one of the threads.
  template <typename T>
  std::future<T> on_a_loop(asio::awaitable<T> work) {
    auto promise = std::make_shared<std::promise<T>>();
    asio::co_spawn(threads_.next(), keep(std::move(work), promise), asio::detached);
    return promise->get_future();
  }
  template <typename T>
  static asio::awaitable<void> keep(asio::awaitable<T> work,
                                    std::shared_ptr<std::promise<T>> promise) {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
      promise->set_value();
    } else {
      promise->set_value(co_await std::move(work));
    }
  }

  Subscription subscribe(const std::string& collection) {
    auto subscribed = on_a_loop(hub_->subscribe("s", collection)).get();
    if (!subscribed) ADD_FAILURE() << subscribed.error().message();
    return subscribed ? *subscribed : nullptr;
  }
  void insert(const std::string& collection, std::int64_t id) {
    bson::Builder command;
    command.append("insert", collection).open_array("documents");
    command.push_object().append("_id", id).close().close();
    command.open_object("writeConcern").append("w", std::int32_t{1}).append("j", false).close();
    const bson::Document reply = cluster_.run("s", std::move(command).finish());
    EXPECT_EQ(reply["n"].as_integer(), 1);
  }

  // The `_id` of the next `count` inserts; fewer when the subscription ends before.
  static asio::awaitable<Ids> read(Subscription subscription, std::size_t count) {
    Ids ids;
    while (ids.size() < count) {
      const auto event = co_await subscription->next();
      if (!event || !*event) break;
      if ((*event)->view().empty()) continue;
      ids.push_back((*event)->view().find_path("documentKey._id").as_integer().value_or(-1));
    }
    co_return ids;
  }
  static asio::awaitable<ErrorCode> read_to_failure(Subscription subscription) {
    for (;;) {
      const auto event = co_await subscription->next();
      if (!event) co_return event.error().code();
    }
  }

  TestCluster cluster_;
  std::shared_ptr<DataSource> source_{std::shared_ptr<void>(), &*cluster_};
  runtime::IoThreads threads_{kThreads};
  std::shared_ptr<ChangeHub> hub_;
};

TEST_F(ChangeHubTest, all_watchers_of_a_collection_see_its_changes_in_one_order) {
  const std::vector<std::string> collections = {"a", "b"};
  std::vector<std::future<Ids>> seen;
  for (const std::string& collection : collections) {
    for (int i = 0; i < kWatchers; ++i) {
      seen.push_back(on_a_loop(read(subscribe(collection), kWriters * kWrites)));
    }
  }
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < kWrites; ++i) {
        for (const std::string& collection : collections) insert(collection, writer * kWrites + i);
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  for (std::size_t c = 0; c < collections.size(); ++c) {
    const Ids first = seen[c * kWatchers].get();
    Ids sorted = first;
    std::sort(sorted.begin(), sorted.end());
    ASSERT_EQ(sorted.size(), kWriters * kWrites);
    for (std::size_t i = 0; i < sorted.size(); ++i)
      EXPECT_EQ(sorted[i], static_cast<std::int64_t>(i));
    for (int i = 1; i < kWatchers; ++i)
      EXPECT_EQ(seen[c * kWatchers + static_cast<std::size_t>(i)].get(), first);
  }
}

TEST_F(ChangeHubTest, changes_before_the_subscription_are_not_given) {
  const Subscription early = subscribe("a");
  insert("a", 1);
  const Subscription late = subscribe("a");
  insert("a", 2);
  EXPECT_EQ(on_a_loop(read(early, 2)).get(), (Ids{1, 2}));
  EXPECT_EQ(on_a_loop(read(late, 1)).get(), (Ids{2}));
}

TEST_F(ChangeHubTest, a_watcher_that_does_not_read_is_cut_off_and_slows_nobody) {
  constexpr int kMany = 1'200;
  const Subscription slow = subscribe("a");
  auto seen = on_a_loop(read(subscribe("a"), kMany));
  bson::Builder command;
  command.append("insert", "a").open_array("documents");
  for (int i = 0; i < kMany; ++i) command.push_object().append("_id", i).close();
  command.close();
  const bson::Document reply = cluster_.run("s", std::move(command).finish());
  ASSERT_EQ(reply["n"].as_integer(), kMany);
  EXPECT_EQ(seen.get().size(), static_cast<std::size_t>(kMany));
  EXPECT_EQ(on_a_loop(read_to_failure(slow)).get(), ErrorCode::kTooManyRequests);
}

TEST_F(ChangeHubTest, watchers_come_and_go_while_others_read) {
  std::atomic<bool> is_over{false};
  auto seen = on_a_loop(read(subscribe("a"), kWrites));
  std::vector<std::thread> passers;
  for (int i = 0; i < kWriters; ++i) {
    passers.emplace_back([&] {
      while (!is_over) {
        const Subscription subscription = subscribe("a");
        auto read_some = on_a_loop(read(subscription, kWrites));
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
        subscription->close();
        read_some.get();
      }
    });
  }
  for (int i = 0; i < kWrites; ++i) insert("a", i);
  EXPECT_EQ(seen.get().size(), static_cast<std::size_t>(kWrites));
  is_over = true;
  for (std::thread& passer : passers) passer.join();
}

TEST_F(ChangeHubTest, a_drop_ends_the_watchers_behind_its_event) {
  insert("a", 1);
  const Subscription subscription = subscribe("a");
  cluster_.run("s", R"({"drop": "a"})");
  EXPECT_EQ(on_a_loop(read(subscription, 10)).get(), (Ids{-1, -1}));  // drop, invalidate
}

TEST_F(ChangeHubTest, a_stop_tells_the_watchers) {
  auto ended = on_a_loop(read_to_failure(subscribe("a")));
  on_a_loop(hub_->stop()).get();
  EXPECT_EQ(ended.get(), ErrorCode::kClosing);
  const auto late = on_a_loop(hub_->subscribe("s", "a")).get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), ErrorCode::kClosing);
}

}  // namespace
}  // namespace restitch::datasource
