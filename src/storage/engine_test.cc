#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "storage/test_support.h"

namespace restitch::storage::test {
namespace {

constexpr CollectionId kPeople = 7;
constexpr IndexRef kByName{11, false};
constexpr IndexRef kById{12, true};

class EngineTest : public ::testing::Test {
 protected:
  void SetUp() override { engine_ = open_engine(options_for(directory_.path())); }
  void reopen(EngineEnvironment environment = {}) {
    ok(engine_->close());
    engine_ = open_engine(options_for(directory_.path()), std::move(environment));
  }

  // Records 1 to `count`, with an entry of their four-digit number in two indexes.
  void put_people(RecordId count) {
    auto transaction = engine_->begin(Transaction::Mode::kLatest);
    for (RecordId id = 1; id <= count; ++id) {
      ok(transaction->put_record(kPeople, id, doc(static_cast<std::int32_t>(id))));
      char key[8];
      std::snprintf(key, sizeof(key), "%04d", static_cast<int>(id));
      ok(transaction->put_entry(kByName, key, "", id));
      ok(transaction->put_entry(kById, key, "", id));
    }
    committed(*engine_, std::move(transaction));
  }

  // Takes the tables out of the kernel's memory.
  void forget_tables() const {
    for (const auto& file : std::filesystem::directory_iterator(directory_.path())) {
      if (file.path().extension() != ".sst") continue;
      const int descriptor = ::open(file.path().c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_GE(descriptor, 0);
      EXPECT_EQ(::fdatasync(descriptor), 0);
      EXPECT_EQ(::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED), 0);
      ::close(descriptor);
    }
  }

  TempDirectory directory_;
  std::unique_ptr<EngineImpl> engine_;
};

TEST_F(EngineTest, committed_record_is_read_back) {
  put(*engine_, kPeople, 1, 10);
  EXPECT_EQ(read(*engine_->snapshot(), kPeople, 1), 10);
  EXPECT_EQ(read(*engine_->snapshot(), kPeople, 2), std::nullopt);
  EXPECT_EQ(read(*engine_->snapshot(), kPeople + 1, 1), std::nullopt);
}

TEST_F(EngineTest, deleted_record_is_gone) {
  put(*engine_, kPeople, 1, 10);
  auto transaction = engine_->begin(Transaction::Mode::kLatest);
  ok(transaction->delete_record(kPeople, 1));
  committed(*engine_, std::move(transaction));
  EXPECT_EQ(read(*engine_->snapshot(), kPeople, 1), std::nullopt);
}

TEST_F(EngineTest, dropped_transaction_leaves_nothing) {
  {
    auto transaction = engine_->begin(Transaction::Mode::kLatest);
    ok(transaction->put_record(kPeople, 1, doc(10)));
  }
  EXPECT_EQ(read(*engine_->snapshot(), kPeople, 1), std::nullopt);
  put(*engine_, kPeople, 1, 11);
  EXPECT_EQ(read(*engine_->snapshot(), kPeople, 1), 11);
}

TEST_F(EngineTest, snapshot_does_not_see_later_commits) {
  put(*engine_, kPeople, 1, 10);
  const SnapshotPtr before = engine_->snapshot();
  put(*engine_, kPeople, 1, 20);
  put(*engine_, kPeople, 2, 30);
  EXPECT_EQ(scan(*before, kPeople), (Rows{{1, 10}}));
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople), (Rows{{1, 20}, {2, 30}}));
}

TEST_F(EngineTest, cursor_keeps_its_snapshot_alive) {
  put(*engine_, kPeople, 1, 10);
  auto cursor = engine_->snapshot()->records(kPeople, true, ReadTier::kAll);
  put(*engine_, kPeople, 1, 20);
  EXPECT_EQ(rows_of(*cursor), (Rows{{1, 10}}));
}

TEST_F(EngineTest, records_are_scanned_in_order_of_id_both_ways_and_from_an_id) {
  for (const RecordId id : {3, 1, 256, 2, 70000})
    put(*engine_, kPeople, id, static_cast<std::int32_t>(id) * 10);
  put(*engine_, kPeople - 1, 5, 1);
  put(*engine_, kPeople + 1, 5, 2);
  const SnapshotPtr snapshot = engine_->snapshot();
  EXPECT_EQ(scan(*snapshot, kPeople),
            (Rows{{1, 10}, {2, 20}, {3, 30}, {256, 2560}, {70000, 700000}}));
  EXPECT_EQ(scan(*snapshot, kPeople, false),
            (Rows{{70000, 700000}, {256, 2560}, {3, 30}, {2, 20}, {1, 10}}));
  EXPECT_EQ(scan(*snapshot, kPeople, true, 3), (Rows{{3, 30}, {256, 2560}, {70000, 700000}}));
  EXPECT_EQ(scan(*snapshot, kPeople, true, 4), (Rows{{256, 2560}, {70000, 700000}}));
  EXPECT_EQ(scan(*snapshot, kPeople, false, 3), (Rows{{3, 30}, {2, 20}, {1, 10}}));
  EXPECT_EQ(scan(*snapshot, kPeople, false, 255), (Rows{{3, 30}, {2, 20}, {1, 10}}));
}

TEST_F(EngineTest, scans_see_flushed_and_unflushed_data_together) {
  for (RecordId id = 1; id <= 20; ++id) {
    put(*engine_, kPeople, id, static_cast<std::int32_t>(id));
    if (id % 5 == 0)
      ok(checked(engine_->database().db()->Flush({}, engine_->database().families())));
  }
  const Rows rows = scan(*engine_->snapshot(), kPeople);
  ASSERT_EQ(rows.size(), 20U);
  const Rows backward = scan(*engine_->snapshot(), kPeople, false);
  EXPECT_EQ(Rows(backward.rbegin(), backward.rend()), rows);
}

TEST_F(EngineTest, index_entries_are_scanned_in_key_order_then_record_order) {
  auto transaction = engine_->begin(Transaction::Mode::kLatest);
  ok(transaction->put_entry(kByName, "bb", "x", 2));
  ok(transaction->put_entry(kByName, "aa", "", 9));
  ok(transaction->put_entry(kByName, "bb", "y", 1));
  ok(transaction->put_entry(kByName, "cc", "", 3));
  ok(transaction->put_entry({kByName.id + 1, false}, "aa", "", 1));
  committed(*engine_, std::move(transaction));
  const SnapshotPtr snapshot = engine_->snapshot();
  EXPECT_EQ(entries(*snapshot, kByName),
            (std::vector<Entry>{{"aa", "", 9}, {"bb", "y", 1}, {"bb", "x", 2}, {"cc", "", 3}}));
  EXPECT_EQ(entries(*snapshot, kByName, {}, false),
            (std::vector<Entry>{{"cc", "", 3}, {"bb", "x", 2}, {"bb", "y", 1}, {"aa", "", 9}}));
  EXPECT_EQ(entries(*snapshot, kByName, {"bb", "cc"}),
            (std::vector<Entry>{{"bb", "y", 1}, {"bb", "x", 2}}));
  EXPECT_EQ(entries(*snapshot, kByName, {"bb", "cc"}, false),
            (std::vector<Entry>{{"bb", "x", 2}, {"bb", "y", 1}}));
  EXPECT_EQ(entries(*snapshot, kByName, {"cc", "bb"}), std::vector<Entry>{});
}

TEST_F(EngineTest, exclusive_bounds_by_discriminator_leave_out_the_equal_keys) {
  auto transaction = engine_->begin(Transaction::Mode::kLatest);
  for (RecordId id = 1; id <= 3; ++id)
    ok(transaction->put_entry(kByName, std::string(1, "abc"[id - 1]), "", id));
  committed(*engine_, std::move(transaction));
  const SnapshotPtr snapshot = engine_->snapshot();
  EXPECT_EQ(entries(*snapshot, kByName, {"a\xFE", ""}),
            (std::vector<Entry>{{"b", "", 2}, {"c", "", 3}}));
  EXPECT_EQ(entries(*snapshot, kByName, {"", "b\x01"}),
            (std::vector<Entry>{{"a", "", 1}, {"b", "", 2}}));
  EXPECT_EQ(entries(*snapshot, kByName, {"a\x01", "c\x01"}, false),
            (std::vector<Entry>{{"c", "", 3}, {"b", "", 2}}));
}

TEST_F(EngineTest, unique_entries_carry_record_and_type_bits) {
  auto transaction = engine_->begin(Transaction::Mode::kLatest);
  ok(transaction->put_entry(kById, "k1", "bits", 5));
  ok(transaction->put_entry(kById, "k2", "", 6));
  committed(*engine_, std::move(transaction));
  const SnapshotPtr snapshot = engine_->snapshot();
  EXPECT_EQ(entries(*snapshot, kById), (std::vector<Entry>{{"k1", "bits", 5}, {"k2", "", 6}}));
  EXPECT_EQ(*snapshot->unique_entry(kById.id, "k1", ReadTier::kAll), std::optional<RecordId>(5));
  EXPECT_EQ(*snapshot->unique_entry(kById.id, "k", ReadTier::kAll), std::nullopt);
  EXPECT_EQ(*snapshot->unique_entry(kById.id, std::string(500, 'k'), ReadTier::kAll), std::nullopt);
}

TEST_F(EngineTest, seek_goes_to_the_first_entry_at_or_behind_the_key) {
  auto transaction = engine_->begin(Transaction::Mode::kLatest);
  ok(transaction->put_entry(kByName, "b", "", 1));
  ok(transaction->put_entry(kByName, "b", "", 2));
  ok(transaction->put_entry(kByName, "d", "", 3));
  ok(transaction->put_entry(kByName, "f1", "", 4));
  ok(transaction->put_entry(kByName, "f2", "", 5));
  ok(transaction->put_entry(kById, "b", "", 1));
  ok(transaction->put_entry(kById, "d", "", 2));
  committed(*engine_, std::move(transaction));
  const SnapshotPtr snapshot = engine_->snapshot();

  const auto after_seek = [&](IndexRef index, std::string_view key, bool forward,
                              KeyRange range = {}) {
    auto cursor = snapshot->entries(index, std::move(range), forward, ReadTier::kAll);
    ok(cursor->seek(key));
    Result<bool> found = cursor->next();
    EXPECT_TRUE(found.has_value());
    return *found ? std::string(cursor->key()) + std::to_string(cursor->record())
                  : std::string("end");
  };
  EXPECT_EQ(after_seek(kByName, "b", true), "b1");
  EXPECT_EQ(after_seek(kByName, "c", true), "d3");
  EXPECT_EQ(after_seek(kByName, "g", true), "end");
  EXPECT_EQ(after_seek(kByName, "b", false), "b2");
  EXPECT_EQ(after_seek(kByName, "c", false), "b2");
  EXPECT_EQ(after_seek(kByName, "f", false), "d3");
  EXPECT_EQ(after_seek(kByName, "f\xFE", false), "f25");
  EXPECT_EQ(after_seek(kByName, "a", false), "end");
  EXPECT_EQ(after_seek(kById, "d", false), "d2");
  EXPECT_EQ(after_seek(kById, "c", false), "b1");
  EXPECT_EQ(after_seek(kByName, "a", true, {"d", ""}), "d3");
  EXPECT_EQ(after_seek(kByName, "z", false, {"", "d"}), "b2");
}

TEST_F(EngineTest, seek_works_again_after_the_end) {
  auto transaction = engine_->begin(Transaction::Mode::kLatest);
  ok(transaction->put_entry(kByName, "b", "", 1));
  committed(*engine_, std::move(transaction));
  auto cursor = engine_->snapshot()->entries(kByName, {}, true, ReadTier::kAll);
  EXPECT_EQ(entries_of(*cursor).size(), 1U);
  ok(cursor->seek("a"));
  EXPECT_EQ(entries_of(*cursor).size(), 1U);
}

TEST_F(EngineTest, session_and_catalog_rows_come_with_the_commit) {
  auto transaction = engine_->begin(Transaction::Mode::kLatest);
  transaction->put_session_row("s1", doc(1));
  transaction->put_catalog_row("c|b", doc(2));
  transaction->put_catalog_row("c|a", doc(3));
  EXPECT_EQ(value_of(**transaction->session_row("s1")), 1);
  EXPECT_EQ(*engine_->snapshot()->session_row("s1"), std::nullopt);
  committed(*engine_, std::move(transaction));
  EXPECT_EQ(value_of(**engine_->snapshot()->session_row("s1")), 1);

  transaction = engine_->begin(Transaction::Mode::kLatest);
  transaction->delete_catalog_row("c|b");
  committed(*engine_, std::move(transaction));
  const auto rows = *engine_->catalog_rows();
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].first, "c|a");
  EXPECT_EQ(value_of(rows[0].second), 3);
}

TEST_F(EngineTest, everything_is_there_after_reopening) {
  auto transaction = engine_->begin(Transaction::Mode::kLatest);
  ok(transaction->put_record(kPeople, 1, doc(10)));
  ok(transaction->put_entry(kByName, "a", "t", 1));
  ok(transaction->put_entry(kById, "k", "", 1));
  transaction->put_session_row("s", doc(4));
  transaction->put_catalog_row("c", doc(5));
  transaction->add_change({doc(6), doc(7)});
  const bson::Timestamp time = committed(*engine_, std::move(transaction)).cluster_time;
  reopen();
  const SnapshotPtr snapshot = engine_->snapshot();
  EXPECT_EQ(read(*snapshot, kPeople, 1), 10);
  EXPECT_EQ(entries(*snapshot, kByName), (std::vector<Entry>{{"a", "t", 1}}));
  EXPECT_EQ(*snapshot->unique_entry(kById.id, "k", ReadTier::kAll), std::optional<RecordId>(1));
  EXPECT_EQ(value_of(**snapshot->session_row("s")), 4);
  EXPECT_EQ(engine_->catalog_rows()->size(), 1U);
  EXPECT_EQ(engine_->last_committed(), time);
  const auto changes = *engine_->changes_after({}, 0, 10);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].cluster_time, time);
  EXPECT_EQ(value_of(changes[0].entry), 6);
  EXPECT_EQ(value_of(*changes[0].pre_image), 7);
}

TEST_F(EngineTest, record_ids_grow_and_go_on_behind_the_last_record) {
  EXPECT_EQ(engine_->allocate_record_id(kPeople), 1);
  EXPECT_EQ(engine_->allocate_record_id(kPeople), 2);
  EXPECT_EQ(engine_->allocate_record_id(kPeople + 1), 1);
  put(*engine_, kPeople, 41, 1);
  put(*engine_, kPeople + 1, 99, 1);
  reopen();
  EXPECT_EQ(engine_->allocate_record_id(kPeople), 42);
  EXPECT_EQ(engine_->allocate_record_id(kPeople + 1), 100);
}

TEST_F(EngineTest, idents_that_a_commit_used_are_never_given_out_again) {
  const std::uint32_t first = engine_->allocate_ident();
  const std::uint32_t second = engine_->allocate_ident();
  EXPECT_GT(first, 0U);
  EXPECT_GT(second, first);
  put(*engine_, second, 1, 1);
  reopen();
  EXPECT_GT(engine_->allocate_ident(), second);
}

TEST_F(EngineTest, a_second_opening_of_the_directory_is_refused) {
  Result<std::unique_ptr<Engine>> second = Engine::open(options_for(directory_.path()));
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code(), ErrorCode::kIo);
  EXPECT_NE(second.error().message().find("in use"), std::string::npos);
}

TEST_F(EngineTest, a_newer_format_is_refused) {
  ok(engine_->close());
  std::ofstream(directory_.path("RESTITCH-FORMAT")) << "99\n";
  Result<std::unique_ptr<Engine>> reopened = Engine::open(options_for(directory_.path()));
  ASSERT_FALSE(reopened.has_value());
  EXPECT_EQ(reopened.error().code(), ErrorCode::kUnsupported);
  EXPECT_NE(reopened.error().message().find("newer version"), std::string::npos);
}

TEST_F(EngineTest, another_programs_database_is_refused) {
  ok(engine_->close());
  std::filesystem::remove(directory_.path("RESTITCH-FORMAT"));
  EXPECT_EQ(code_of(Engine::open(options_for(directory_.path()))), ErrorCode::kInvalidArgument);
}

TEST_F(EngineTest, checkpoint_is_a_database_of_its_own) {
  put(*engine_, kPeople, 1, 10);
  ok(engine_->checkpoint(directory_.path("copy")));
  put(*engine_, kPeople, 1, 20);
  auto copy = open_engine(options_for(directory_.path("copy")));
  EXPECT_EQ(read(*copy->snapshot(), kPeople, 1), 10);
  EXPECT_EQ(read(*engine_->snapshot(), kPeople, 1), 20);
}

TEST_F(EngineTest, a_snapshot_survives_the_closing_of_the_engine) {
  put(*engine_, kPeople, 1, 10);
  SnapshotPtr snapshot = engine_->snapshot();
  ok(engine_->close());
  EXPECT_EQ(read(*snapshot, kPeople, 1), 10);
  snapshot.reset();
  engine_ = open_engine(options_for(directory_.path()));
  EXPECT_EQ(read(*engine_->snapshot(), kPeople, 1), 10);
}

TEST_F(EngineTest, statistics_count_commits_and_bytes) {
  put(*engine_, kPeople, 1, 10);
  put(*engine_, kPeople, 2, 10);
  const EngineStatistics statistics = engine_->statistics();
  EXPECT_EQ(statistics.commits, 2U);
  EXPECT_EQ(statistics.commit_groups, 2U);
  EXPECT_EQ(statistics.syncs, 2U);
  EXPECT_GT(statistics.bytes_on_disk, 0U);
}

// Data that is in no cache: written, flushed, and read by a fresh engine with an empty block cache.
TEST_F(EngineTest, cache_only_reads_would_block_until_the_data_was_read_once) {
  put_people(2000);
  reopen({.uses_page_cache = false});
  const SnapshotPtr snapshot = engine_->snapshot();
  std::string bytes;
  EXPECT_EQ(code_of(snapshot->record(kPeople, 1500, ReadTier::kCacheOnly, bytes)),
            ErrorCode::kWouldBlock);
  EXPECT_EQ(code_of(snapshot->unique_entry(kById.id, "1500", ReadTier::kCacheOnly)),
            ErrorCode::kWouldBlock);
  EXPECT_TRUE(*snapshot->record(kPeople, 1500, ReadTier::kAll, bytes));
  EXPECT_TRUE(*snapshot->record(kPeople, 1500, ReadTier::kCacheOnly, bytes));

  for (const bool forward : {true, false}) {
    auto cursor = snapshot->records(kPeople, forward, ReadTier::kCacheOnly);
    std::vector<RecordId> seen;
    int blocked = 0;
    for (;;) {
      Result<bool> found = cursor->next();
      if (!found) {
        ASSERT_EQ(found.error().code(), ErrorCode::kWouldBlock);
        ++blocked;
        cursor->set_tier(ReadTier::kAll);
        found = cursor->next();
        ASSERT_TRUE(found.has_value());
        cursor->set_tier(ReadTier::kCacheOnly);
      }
      if (!*found) break;
      seen.push_back(cursor->id());
    }
    ASSERT_EQ(seen.size(), 2000U);
    for (std::size_t i = 0; i < seen.size(); ++i) {
      ASSERT_EQ(seen[i], static_cast<RecordId>(forward ? i + 1 : 2000 - i));
    }
    // The first pass fills the cache for the second.
    EXPECT_EQ(blocked > 0, forward);
  }

  auto cursor = snapshot->entries(kByName, {}, false, ReadTier::kCacheOnly);
  ok(cursor->seek("1000"));
  EXPECT_EQ(code_of(cursor->next()), ErrorCode::kWouldBlock);
  cursor->set_tier(ReadTier::kAll);
  EXPECT_TRUE(*cursor->next());
  EXPECT_EQ(cursor->record(), 1000);
}

TEST_F(EngineTest, cache_only_reads_are_served_from_the_page_cache) {
  put_people(2000);
  reopen();
  const SnapshotPtr snapshot = engine_->snapshot();
  std::string bytes;
  EXPECT_TRUE(*snapshot->record(kPeople, 1500, ReadTier::kCacheOnly, bytes));
  EXPECT_EQ(*snapshot->unique_entry(kById.id, "1500", ReadTier::kCacheOnly), 1500);
  auto cursor = snapshot->records(kPeople, true, ReadTier::kCacheOnly);
  RecordId seen = 0;
  for (Result<bool> found = cursor->next(); found && *found; found = cursor->next()) ++seen;
  EXPECT_EQ(seen, 2000);
}

TEST_F(EngineTest, cache_only_reads_do_not_wait_for_the_disk) {
  constexpr auto kInMemoryFileSystem = 0x01021994;
  struct statfs file_system {};
  ASSERT_EQ(::statfs(directory_.path().c_str(), &file_system), 0);
  if (file_system.f_type == kInMemoryFileSystem) GTEST_SKIP() << "files are always in memory here";
  put_people(2000);
  reopen();
  forget_tables();
  const SnapshotPtr snapshot = engine_->snapshot();
  std::string bytes;
  EXPECT_EQ(code_of(snapshot->record(kPeople, 1500, ReadTier::kCacheOnly, bytes)),
            ErrorCode::kWouldBlock);
  auto cursor = snapshot->records(kPeople, true, ReadTier::kCacheOnly);
  EXPECT_EQ(code_of(cursor->next()), ErrorCode::kWouldBlock);
  cursor->set_tier(ReadTier::kAll);
  EXPECT_TRUE(*cursor->next());
  cursor->set_tier(ReadTier::kCacheOnly);
  EXPECT_TRUE(*cursor->next());
  EXPECT_EQ(cursor->id(), 2);
  EXPECT_TRUE(*snapshot->record(kPeople, 1500, ReadTier::kAll, bytes));
}

}  // namespace
}  // namespace restitch::storage::test
