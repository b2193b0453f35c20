#include <rocksdb/metadata.h>

#include "storage/test_support.h"

namespace restitch::storage::test {
namespace {

constexpr CollectionId kPeople = 7;
constexpr IndexId kByName = 11;
using Mode = Transaction::Mode;

class MaintenanceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_ = options_for(directory_.path());
    options_.change_log_max_age_seconds = 100;
    options_.change_log_max_bytes = 64 * 1024;
  }
  void open() {
    engine_ = open_engine(options_, {.wall_seconds = [this] { return now_.load(); }});
  }
  void reopen() {
    ok(engine_->close());
    open();
  }
  bson::Timestamp change(std::int32_t value, std::size_t padding = 0) {
    auto transaction = engine_->begin(Mode::kLatest);
    bson::Builder entry;
    entry.append("v", value).append("padding", std::string(padding, 'x'));
    transaction->add_change({std::move(entry).finish(), doc(value)});
    return committed(*engine_, std::move(transaction)).cluster_time;
  }
  std::vector<std::int32_t> changes(bson::Timestamp after = {}) {
    std::vector<std::int32_t> values;
    const std::vector<ChangeLogEntry> entries = *engine_->changes_after(after, 0, 100000);
    for (const auto& entry : entries) values.push_back(value_of(entry.entry));
    return values;
  }
  std::uint64_t images() {
    std::uint64_t count = 0;
    const std::unique_ptr<rocksdb::Iterator> iterator(engine_->database().db()->NewIterator(
        engine_->database().newest(), engine_->database().family(Family::kImages)));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) ++count;
    return count;
  }
  std::uint64_t table_bytes(Family family) {
    std::uint64_t bytes = 0;
    engine_->database().db()->GetIntProperty(engine_->database().family(family),
                                             rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
    return bytes;
  }
  void flush() { ok(checked(engine_->database().db()->Flush({}, engine_->database().families()))); }

  TempDirectory directory_;
  EngineOptions options_;
  std::atomic<std::uint32_t> now_{10000};
  std::unique_ptr<EngineImpl> engine_;
};

TEST_F(MaintenanceTest, changes_older_than_the_age_are_trimmed_with_their_images) {
  open();
  const bson::Timestamp start = engine_->oldest_change();
  const bson::Timestamp first = change(1);
  EXPECT_LE(start, first);
  now_ = 10050;
  const bson::Timestamp second = change(2);
  engine_->maintenance().run_once();
  EXPECT_EQ(changes(), (std::vector<std::int32_t>{1, 2}));
  EXPECT_EQ(engine_->oldest_change(), start);

  now_ = 10110;
  const bson::Timestamp third = change(3);
  engine_->maintenance().run_once();
  EXPECT_EQ(changes(), (std::vector<std::int32_t>{2, 3}));
  EXPECT_EQ(images(), 2U);
  EXPECT_GT(engine_->oldest_change(), first);
  EXPECT_LE(engine_->oldest_change(), second);
  EXPECT_EQ(changes(second), std::vector<std::int32_t>{3});

  reopen();
  EXPECT_GT(engine_->oldest_change(), first);
  EXPECT_EQ(changes(), (std::vector<std::int32_t>{2, 3}));
  EXPECT_EQ(changes(first), (std::vector<std::int32_t>{2, 3}));
  EXPECT_TRUE(changes(third).empty());
}

TEST_F(MaintenanceTest, a_position_before_trimmed_changes_is_reported_lost) {
  open();
  const bson::Timestamp first = change(1);
  const bson::Timestamp second = change(2);
  now_ = 20000;
  const bson::Timestamp third = change(3);
  engine_->maintenance().run_once();
  Result<std::vector<ChangeLogEntry>> lost = engine_->changes_after(first, 0, 10);
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().mongo_code(), 286);
  // Who has read everything that is gone has lost nothing.
  EXPECT_EQ(changes(second), std::vector<std::int32_t>{3});
  EXPECT_TRUE(changes(third).empty());
}

TEST_F(MaintenanceTest,
       the_newest_change_keeps_the_clock_from_going_back_after_everything_was_trimmed) {
  open();
  const bson::Timestamp last = change(1);
  now_ = 20000;
  engine_->maintenance().run_once();
  EXPECT_TRUE(changes().empty());
  now_ = 9000;
  reopen();
  EXPECT_GE(engine_->last_committed(), last);
  EXPECT_GT(change(2), last);
}

TEST_F(MaintenanceTest, the_change_log_keeps_to_its_size) {
  open();
  for (std::int32_t i = 0; i < 300; ++i) {
    change(i, 1000);
    if (i % 50 == 0) flush();
    if (i == 150) reopen();
  }
  EXPECT_EQ(changes().size(), 300U);
  engine_->maintenance().run_once();
  const auto kept = changes();
  EXPECT_EQ(kept.back(), 299);
  EXPECT_GE(kept.size(), 55U);
  EXPECT_LE(kept.size(), 63U);
  EXPECT_EQ(images(), kept.size());
  const auto before = kept.size();
  reopen();
  engine_->maintenance().run_once();
  EXPECT_EQ(changes().size(), before);
}

TEST_F(MaintenanceTest, dropped_collections_and_indexes_are_freed) {
  open();
  const std::string padding(1000, 'x');
  for (std::uint32_t ident = kPeople; ident < kPeople + 3; ++ident) {
    auto transaction = engine_->begin(Mode::kLatest);
    for (RecordId id = 1; id <= 2000; ++id) {
      bson::Builder document;
      // Not compressible, so that file sizes tell.
      std::string noise;
      for (int i = 0; i < 8; ++i)
        noise += bson::ObjectId::generate().to_hex() + std::to_string(std::rand());
      document.append("v", static_cast<std::int32_t>(id)).append("noise", noise);
      ok(transaction->put_record(ident, id, std::move(document).finish()));
      ok(transaction->put_entry({ident + 100, false}, noise, "", id));
    }
    committed(*engine_, std::move(transaction));
  }
  flush();
  const std::uint64_t records_before = table_bytes(Family::kRecords);
  const std::uint64_t entries_before = table_bytes(Family::kIndexes);
  SnapshotPtr old = engine_->snapshot();
  engine_->reclaim_collection(kPeople + 1);
  engine_->reclaim_index(kPeople + 101);
  put(*engine_, 1, 1, 1);  // behind the range deletions
  EXPECT_TRUE(scan(*engine_->snapshot(), kPeople + 1).empty());

  // A snapshot from before still reads the dropped data, so the files stay.
  engine_->maintenance().run_once();
  EXPECT_EQ(scan(*old, kPeople + 1).size(), 2000U);
  old.reset();
  engine_->maintenance().run_once();
  EXPECT_LT(table_bytes(Family::kRecords), records_before * 3 / 4);
  EXPECT_LT(table_bytes(Family::kIndexes), entries_before * 3 / 4);
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople).size(), 2000U);
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople + 2).size(), 2000U);
  EXPECT_EQ(*engine_->stored_collections(), (std::vector<CollectionId>{1, kPeople, kPeople + 2}));
  EXPECT_EQ(*engine_->stored_indexes(), (std::vector<IndexId>{kPeople + 100, kPeople + 102}));
}

TEST_F(MaintenanceTest, an_interrupted_reclaim_is_finished_after_reopening) {
  open();
  put(*engine_, kPeople, 1, 1);
  flush();
  engine_->reclaim_collection(kPeople);
  put(*engine_, kPeople + 1, 1, 1);
  reopen();
  EXPECT_EQ(reclaim_jobs(*engine_), 1);
  engine_->maintenance().run_once();
  put(*engine_, kPeople + 1, 2, 1);
  engine_->maintenance().run_once();
  EXPECT_EQ(reclaim_jobs(*engine_), 0);
  EXPECT_EQ(*engine_->stored_collections(), (std::vector<CollectionId>{kPeople + 1}));
}

TEST_F(MaintenanceTest, the_background_thread_does_it_unasked) {
  EngineEnvironment environment;
  environment.wall_seconds = [this] { return now_.load(); };
  engine_ = std::move(*EngineImpl::open(options_, environment));
  change(1);
  now_ = 20000;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!changes().empty() && std::chrono::steady_clock::now() < give_up)
    std::this_thread::yield();
  EXPECT_TRUE(changes().empty());
}

}  // namespace
}  // namespace restitch::storage::test
