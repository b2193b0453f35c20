#include <barrier>
#include <random>
#include <set>
#include <thread>

#include "storage/test_support.h"

namespace restitch::storage::test {
namespace {

constexpr CollectionId kPeople = 7;
constexpr IndexRef kById{12, true};
using Mode = Transaction::Mode;

class CommitQueueTest : public ::testing::Test {
 protected:
  void open(EngineEnvironment environment = {}) {
    engine_ = open_engine(options_for(directory_.path()), std::move(environment));
  }

  TempDirectory directory_;
  std::unique_ptr<EngineImpl> engine_;
};

// Runs `work` with each thread's number on so many threads.
template <typename F>
void on_threads(int count, F work) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&work, i] { work(i); });
  for (auto& thread : threads) thread.join();
}

TEST_F(CommitQueueTest,
       every_commit_is_acknowledged_once_in_order_of_growing_time_and_already_visible) {
  open();
  constexpr int kThreads = 8;
  constexpr int kCommits = 100;
  std::mutex mutex;
  std::vector<keys::Ticks> order;
  std::vector<keys::Ticks> heard;
  std::atomic<int> invisible{0};
  engine_->set_commit_listener(
      [&](bson::Timestamp time) { heard.push_back(keys::ticks_of(time)); });
  std::atomic<int> outstanding{kThreads * kCommits};
  std::promise<void> finished;
  on_threads(kThreads, [&](int thread) {
    for (int i = 0; i < kCommits; ++i) {
      auto transaction = engine_->begin(Mode::kLatest);
      const RecordId id = engine_->allocate_record_id(kPeople);
      ok(transaction->put_record(kPeople, id, doc(thread)));
      transaction->add_change({doc(static_cast<std::int32_t>(id)), std::nullopt});
      engine_->commit(std::move(transaction),
                      i % 3 == 0 ? Durability::kBuffered : Durability::kJournaled,
                      [&, id](Result<Committed> result) {
                        ASSERT_TRUE(result.has_value());
                        if (!read(*engine_->snapshot(), kPeople, id)) ++invisible;
                        if (engine_->last_committed() < result->cluster_time) ++invisible;
                        {
                          const std::lock_guard lock(mutex);
                          order.push_back(keys::ticks_of(result->cluster_time));
                        }
                        if (--outstanding == 0) finished.set_value();
                      });
    }
  });
  finished.get_future().get();
  EXPECT_EQ(invisible.load(), 0);
  ASSERT_EQ(order.size(), static_cast<std::size_t>(kThreads * kCommits));
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(std::set<keys::Ticks>(order.begin(), order.end()).size(), order.size());

  const auto changes = *engine_->changes_after({}, 0, 10000);
  ASSERT_EQ(changes.size(), order.size());
  for (std::size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(keys::ticks_of(changes[i].cluster_time), order[i]);
  const EngineStatistics statistics = engine_->statistics();
  EXPECT_EQ(statistics.commits, order.size());
  EXPECT_LT(statistics.commit_groups, statistics.commits);
  ok(engine_->close());  // the listener hears of a group after its commits are acknowledged
  EXPECT_EQ(heard.size(), statistics.commit_groups);
  EXPECT_EQ(heard.back(), order.back());
  EXPECT_TRUE(std::is_sorted(heard.begin(), heard.end()));
}

// Each thread adds one to counters under conflicts; no addition may be lost or doubled.
void count_up(EngineImpl& engine, Mode mode) {
  constexpr int kThreads = 6;
  constexpr int kAdditions = 60;
  constexpr RecordId kCounters = 3;
  for (RecordId id = 1; id <= kCounters; ++id) put(engine, kPeople, id, 0);
  std::atomic<int> conflicts{0};
  on_threads(kThreads, [&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (int i = 0; i < kAdditions;) {
      const RecordId id = 1 + static_cast<RecordId>(random() % kCounters);
      auto transaction = engine.begin(mode);
      std::string bytes;
      Result<bool> locked = transaction->lock_record(kPeople, id, bytes);
      if (!locked) {
        ASSERT_EQ(locked.error().code(), ErrorCode::kWriteConflict);
        ++conflicts;
        std::this_thread::yield();
        continue;
      }
      ASSERT_TRUE(*locked);
      const std::int32_t value =
          value_of(bson::View(reinterpret_cast<const std::uint8_t*>(bytes.data())));
      ok(transaction->put_record(kPeople, id, doc(value + 1)));
      committed(engine, std::move(transaction));
      ++i;
    }
  });
  std::int32_t sum = 0;
  for (const auto& [id, value] : scan(*engine.snapshot(), kPeople)) sum += value;
  EXPECT_EQ(sum, kThreads * kAdditions);
  EXPECT_GT(conflicts.load(), 0);
}

TEST_F(CommitQueueTest, concurrent_additions_in_snapshot_mode_are_all_counted) {
  open();
  count_up(*engine_, Mode::kSnapshot);
}
TEST_F(CommitQueueTest, concurrent_additions_in_latest_mode_are_all_counted) {
  open();
  count_up(*engine_, Mode::kLatest);
}

TEST_F(CommitQueueTest, of_many_inserts_of_one_unique_key_exactly_one_succeeds) {
  open();
  constexpr int kThreads = 6;
  for (int round = 0; round < 20; ++round) {
    const std::string key = "key" + std::to_string(round);
    std::atomic<int> winners{0};
    std::barrier start(kThreads);
    on_threads(kThreads, [&](int thread) {
      start.arrive_and_wait();
      for (;;) {
        auto transaction = engine_->begin(thread % 2 == 0 ? Mode::kLatest : Mode::kSnapshot);
        Status entered = transaction->put_entry(kById, key, "", thread + 1);
        if (entered) {
          committed(*engine_, std::move(transaction));
          ++winners;
          return;
        }
        if (entered.error().code() == ErrorCode::kDuplicateKey) return;
        ASSERT_EQ(entered.error().code(), ErrorCode::kWriteConflict);
        std::this_thread::yield();
      }
    });
    EXPECT_EQ(winners.load(), 1);
  }
}

// Money moves between accounts; every snapshot must see the same total.
TEST_F(CommitQueueTest, snapshots_are_consistent_under_concurrent_transfers) {
  open();
  constexpr RecordId kAccounts = 8;
  for (RecordId id = 1; id <= kAccounts; ++id) put(*engine_, kPeople, id, 100);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, checks{0};
  const auto total_of = [](const Reader& reader) {
    std::int32_t total = 0;
    for (const auto& [id, value] : scan(reader, kPeople)) total += value;
    return total;
  };
  std::thread checker([&] {
    while (!stop.load()) {
      if (total_of(*engine_->snapshot()) != 100 * kAccounts) ++wrong;
      auto transaction = engine_->begin(Mode::kSnapshot);
      if (total_of(*transaction) != 100 * kAccounts) ++wrong;
      ++checks;
    }
  });
  on_threads(4, [&](int thread) {
    std::mt19937 random(static_cast<unsigned>(thread) + 100);
    for (int i = 0; i < 60; ++i) {
      const RecordId from = 1 + static_cast<RecordId>(random() % kAccounts);
      const RecordId to = 1 + static_cast<RecordId>(random() % kAccounts);
      auto transaction = engine_->begin(i % 2 == 0 ? Mode::kLatest : Mode::kSnapshot);
      std::string bytes;
      if (from == to || !transaction->lock_record(kPeople, from, bytes)) continue;
      if (!transaction->lock_record(kPeople, to, bytes)) continue;
      const std::int32_t amount = static_cast<std::int32_t>(random() % 10);
      ok(transaction->put_record(kPeople, from, doc(*read(*transaction, kPeople, from) - amount)));
      ok(transaction->put_record(kPeople, to, doc(*read(*transaction, kPeople, to) + amount)));
      committed(*engine_, std::move(transaction));
    }
  });
  stop.store(true);
  checker.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GT(checks.load(), 0);
}

TEST_F(CommitQueueTest, cluster_times_follow_the_clock_and_never_go_back) {
  std::uint32_t now = 1000;
  const auto clock = [&now] { return now; };
  open({.wall_seconds = clock});
  const auto next = [&] {
    auto transaction = engine_->begin(Mode::kLatest);
    ok(transaction->put_record(kPeople, 1, doc(1)));
    return committed(*engine_, std::move(transaction)).cluster_time;
  };
  EXPECT_EQ(next(), (bson::Timestamp{1000, 2}));
  EXPECT_EQ(next(), (bson::Timestamp{1000, 3}));
  now = 1001;
  EXPECT_EQ(next(), (bson::Timestamp{1001, 1}));
  now = 900;
  EXPECT_EQ(next(), (bson::Timestamp{1001, 2}));
  engine_->advance_cluster_time({1200, 5});
  EXPECT_EQ(next(), (bson::Timestamp{1200, 6}));
  EXPECT_EQ(engine_->last_committed(), (bson::Timestamp{1200, 6}));
  EXPECT_EQ(engine_->snapshot()->cluster_time(), (bson::Timestamp{1200, 6}));
  // Also over a restart, although these commits left no change behind.
  ok(engine_->close());
  open({.wall_seconds = clock});
  EXPECT_EQ(engine_->last_committed(), (bson::Timestamp{1200, 6}));
  EXPECT_EQ(next(), (bson::Timestamp{1200, 7}));
}

TEST_F(CommitQueueTest, changes_of_one_transaction_share_their_time_and_keep_their_order) {
  open();
  auto transaction = engine_->begin(Mode::kSnapshot);
  for (std::int32_t i = 0; i < 3; ++i) {
    transaction->add_change({doc(i), i == 1 ? std::optional(doc(100)) : std::nullopt});
  }
  const bson::Timestamp time = committed(*engine_, std::move(transaction)).cluster_time;
  const auto all = *engine_->changes_after({}, 0, 10);
  ASSERT_EQ(all.size(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(all[i].cluster_time, time);
    EXPECT_EQ(all[i].index, i);
    EXPECT_EQ(value_of(all[i].entry), static_cast<std::int32_t>(i));
    EXPECT_EQ(all[i].pre_image.has_value(), i == 1);
  }
  const auto rest = *engine_->changes_after(time, 0, 10);
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(rest[0].index, 1U);
  EXPECT_EQ(engine_->changes_after(time, 0, 1)->size(), 1U);
  EXPECT_TRUE(engine_->changes_after(time, 2, 10)->empty());
}

TEST_F(CommitQueueTest, buffered_commits_are_synced_soon_without_another_commit) {
  open();
  auto transaction = engine_->begin(Mode::kLatest);
  ok(transaction->put_record(kPeople, 1, doc(1)));
  committed(*engine_, std::move(transaction), Durability::kBuffered);
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (engine_->statistics().syncs == 0 && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  EXPECT_EQ(engine_->statistics().syncs, 1U);
}

TEST_F(CommitQueueTest, changes_of_buffered_commits_are_synced_before_they_are_shown) {
  open();
  auto transaction = engine_->begin(Mode::kLatest);
  transaction->add_change({doc(1), std::nullopt});
  committed(*engine_, std::move(transaction), Durability::kBuffered);
  EXPECT_EQ(engine_->changes_after({}, 0, 10)->size(), 1U);
  EXPECT_EQ(engine_->statistics().syncs, 1U);
}

TEST_F(CommitQueueTest, closing_finishes_the_commits_that_wait) {
  open();
  std::atomic<int> succeeded{0};
  for (RecordId id = 1; id <= 200; ++id) {
    auto transaction = engine_->begin(Mode::kLatest);
    ok(transaction->put_record(kPeople, id, doc(1)));
    engine_->commit(std::move(transaction), Durability::kJournaled,
                    [&](Result<Committed> result) { succeeded += result.has_value() ? 1 : 0; });
  }
  ok(engine_->close());
  EXPECT_EQ(succeeded.load(), 200);
  open();
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople).size(), 200U);
}

}  // namespace
}  // namespace restitch::storage::test
