#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include "storage/test_support.h"

namespace restitch::storage::test {
namespace {

constexpr CollectionId kPeople = 7;
using Mode = Transaction::Mode;

// What is wrong with the disk at present.
struct Fault {
  std::atomic<bool> is_full{false};
  std::atomic<bool> tears{false};  // with is_full: half of the bytes still get in
  std::atomic<bool> sync_fails{false};
  std::atomic<std::uint64_t> free_bytes{UINT64_MAX};
};

class FaultyFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultyFile(std::unique_ptr<rocksdb::FSWritableFile> file, std::shared_ptr<Fault> fault)
      : FSWritableFileOwnerWrapper(std::move(file)), fault_(std::move(fault)) {}

  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           rocksdb::IODebugContext* context) override {
    if (!fault_->is_full) return target()->Append(data, options, context);
    if (fault_->tears) {
      (void)target()->Append(rocksdb::Slice(data.data(), data.size() / 2), options, context);
    }
    return rocksdb::IOStatus::NoSpace("no space left on device");
  }
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions& options,
                           const rocksdb::DataVerificationInfo&,
                           rocksdb::IODebugContext* context) override {
    return Append(data, options, context);
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions& options,
                         rocksdb::IODebugContext* context) override {
    if (fault_->sync_fails) return rocksdb::IOStatus::IOError("sync failed");
    return target()->Sync(options, context);
  }
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions& options,
                          rocksdb::IODebugContext* context) override {
    if (fault_->sync_fails) return rocksdb::IOStatus::IOError("sync failed");
    return target()->Fsync(options, context);
  }

 private:
  std::shared_ptr<Fault> fault_;
};

class FaultyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultyFileSystem(std::shared_ptr<Fault> fault)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), fault_(std::move(fault)) {}
  const char* Name() const override { return "FaultyFileSystem"; }

  rocksdb::IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                    std::unique_ptr<rocksdb::FSWritableFile>* result,
                                    rocksdb::IODebugContext* context) override {
    rocksdb::IOStatus status = target()->NewWritableFile(name, options, result, context);
    if (status.ok()) *result = std::make_unique<FaultyFile>(std::move(*result), fault_);
    return status;
  }
  rocksdb::IOStatus GetFreeSpace(const std::string&, const rocksdb::IOOptions&, std::uint64_t* free,
                                 rocksdb::IODebugContext*) override {
    *free = fault_->free_bytes;
    return rocksdb::IOStatus::OK();
  }

 private:
  std::shared_ptr<Fault> fault_;
};

class DiskFaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fault_ = std::make_shared<Fault>();
    env_ = rocksdb::NewCompositeEnv(std::make_shared<FaultyFileSystem>(fault_));
    engine_ = open_engine(options_for(directory_.path("db")), {.env = env_.get()});
  }
  void TearDown() override {
    fault_->is_full = false;
    fault_->sync_fails = false;
    engine_.reset();
  }
  Result<Committed> try_put(RecordId id, Durability durability = Durability::kJournaled) {
    auto transaction = engine_->begin(Mode::kLatest);
    ok(transaction->put_record(kPeople, id, doc(static_cast<std::int32_t>(id))));
    return commit(*engine_, std::move(transaction), durability);
  }
  // The state that a kill at this moment leaves: the files as they are, opened by a fresh process.
  Rows rows_after_kill() {
    const std::string copy = directory_.path("killed" + std::to_string(copies_++));
    rocksdb::DB* db = engine_->database().db();
    // A copy takes its time: no files may come or go meanwhile.
    EXPECT_TRUE(db->PauseBackgroundWork().ok());
    EXPECT_TRUE(db->DisableFileDeletions().ok());
    copy_folder(directory_.path("db"), copy);
    EXPECT_TRUE(db->EnableFileDeletions(false).ok());
    EXPECT_TRUE(db->ContinueBackgroundWork().ok());
    auto engine = open_engine(options_for(copy));
    return scan(*engine->snapshot(), kPeople);
  }
  // A deletion that was decided before is carried out all the same: then once more.
  static void copy_folder(const std::string& from, const std::string& to) {
    constexpr int kAttempts = 10;
    std::error_code error;
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      std::filesystem::remove_all(to);
      std::filesystem::copy(from, to, std::filesystem::copy_options::recursive, error);
      if (!error) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    FAIL() << "the directory cannot be copied: " << error.message();
  }
  static Rows ids(std::initializer_list<RecordId> list) {
    Rows rows;
    for (const RecordId id : list) rows.emplace_back(id, static_cast<std::int32_t>(id));
    return rows;
  }

  TempDirectory directory_;
  std::shared_ptr<Fault> fault_;
  std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<EngineImpl> engine_;
  int copies_ = 0;
};

TEST_F(DiskFaultTest,
       on_a_full_disk_commits_fail_reads_go_on_and_writing_resumes_when_space_returns) {
  ASSERT_TRUE(try_put(1).has_value());
  fault_->is_full = true;
  Result<Committed> refused = try_put(2);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kIo);
  EXPECT_NE(refused.error().message().find("full"), std::string::npos);
  EXPECT_EQ(code_of(try_put(3)), ErrorCode::kIo);
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople), ids({1}));
  fault_->free_bytes = 0;
  engine_->maintenance().run_once();
  EXPECT_EQ(code_of(try_put(3)), ErrorCode::kIo);

  fault_->is_full = false;
  fault_->free_bytes = UINT64_MAX;
  engine_->maintenance().run_once();
  ASSERT_TRUE(try_put(4).has_value());
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople), ids({1, 4}));
  EXPECT_EQ(rows_after_kill(), ids({1, 4}));
}

TEST_F(DiskFaultTest, commits_after_a_torn_log_record_survive_a_kill) {
  for (const bool flushed : {false, true}) {
    const RecordId base = flushed ? 10 : 1;
    ASSERT_TRUE(try_put(base).has_value());
    // A checkpoint flushes everything.
    if (flushed) ok(engine_->checkpoint(directory_.path("checkpoint")));
    fault_->tears = true;
    // No compaction may meet the full disk: that can take a new process to come back from.
    ASSERT_TRUE(engine_->database().db()->PauseBackgroundWork().ok());
    fault_->is_full = true;
    EXPECT_EQ(code_of(try_put(base + 1)), ErrorCode::kIo);
    fault_->is_full = false;
    ASSERT_TRUE(engine_->database().db()->ContinueBackgroundWork().ok());
    engine_->maintenance().run_once();
    ASSERT_TRUE(try_put(base + 2).has_value());
    ASSERT_TRUE(try_put(base + 3, Durability::kBuffered).has_value());
  }
  EXPECT_EQ(rows_after_kill(), ids({1, 3, 4, 10, 12, 13}));
}

TEST_F(DiskFaultTest, a_failed_write_right_after_everything_was_flushed_needs_no_restart) {
  ASSERT_TRUE(try_put(1).has_value());
  fault_->tears = true;
  for (const RecordId base : {10, 20}) {
    ASSERT_TRUE(engine_->database().flush_all().ok());
    // Nor does a compaction run, which would meet the full disk too.
    ASSERT_TRUE(engine_->database().db()->PauseBackgroundWork().ok());
    fault_->is_full = true;
    EXPECT_EQ(code_of(try_put(base)), ErrorCode::kIo);
    ASSERT_TRUE(engine_->database().db()->ContinueBackgroundWork().ok());
    fault_->free_bytes = 0;
    engine_->maintenance().run_once();
    EXPECT_EQ(code_of(try_put(base)), ErrorCode::kIo);
    fault_->is_full = false;
    fault_->free_bytes = UINT64_MAX;
    engine_->maintenance().run_once();
    ASSERT_TRUE(try_put(base + 1).has_value());
  }
  EXPECT_EQ(*engine_->stored_collections(), std::vector<CollectionId>{kPeople});
  EXPECT_EQ(rows_after_kill(), ids({1, 11, 21}));
}

TEST_F(DiskFaultTest, on_a_full_disk_drops_go_on) {
  ASSERT_TRUE(try_put(1).has_value());
  fault_->free_bytes = 1U << 20U;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  Result<Committed> refused = try_put(2);
  while (refused && std::chrono::steady_clock::now() < give_up) refused = try_put(2);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().mongo_code(), 14031);
  auto transaction = engine_->begin(Mode::kLatest);
  transaction->delete_catalog_row("collection");
  EXPECT_TRUE(commit(*engine_, std::move(transaction)).has_value());
}

TEST_F(DiskFaultTest,
       commits_are_refused_before_the_disk_is_full_and_own_writes_of_the_engine_go_on) {
  ASSERT_TRUE(try_put(1).has_value());
  fault_->free_bytes = 1U << 20U;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  Result<Committed> refused = try_put(2);
  while (refused && std::chrono::steady_clock::now() < give_up) refused = try_put(2);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), ErrorCode::kIo);
  EXPECT_NE(refused.error().message().find("full"), std::string::npos);
  engine_->reclaim_collection(kPeople);
  while (!scan(*engine_->snapshot(), kPeople).empty() &&
         std::chrono::steady_clock::now() < give_up) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(scan(*engine_->snapshot(), kPeople).empty());
  fault_->free_bytes = UINT64_MAX;
  EXPECT_TRUE(try_put(3).has_value());
}

TEST_F(DiskFaultTest, dropped_data_is_compacted_only_when_there_is_space_to_flush) {
  ASSERT_TRUE(try_put(1).has_value());
  fault_->free_bytes = 1U << 20U;
  engine_->reclaim_collection(kPeople);
  const auto rounds_until = [this](const auto& reached) {
    for (int round = 0; round < 100 && !reached(); ++round) {
      engine_->maintenance().run_once();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return reached();
  };
  const auto flushed_bytes = [this] {
    std::uint64_t bytes = 0;
    engine_->database().db()->GetAggregatedIntProperty(
        rocksdb::DB::Properties::kTotalSstFilesSize, &bytes);
    return bytes;
  };
  EXPECT_FALSE(rounds_until([&] { return flushed_bytes() > 0; }));
  EXPECT_EQ(reclaim_jobs(*engine_), 1);
  fault_->free_bytes = UINT64_MAX;
  EXPECT_TRUE(rounds_until([&] { return reclaim_jobs(*engine_) == 0; }));
}

TEST_F(DiskFaultTest, a_failed_group_does_not_stop_the_change_log_and_times_still_grow) {
  const auto change = [this] {
    auto transaction = engine_->begin(Mode::kLatest);
    transaction->add_change({doc(1), std::nullopt});
    return commit(*engine_, std::move(transaction));
  };
  const bson::Timestamp first = change()->cluster_time;
  fault_->is_full = true;
  EXPECT_FALSE(change().has_value());
  EXPECT_EQ(engine_->last_committed(), first);
  fault_->is_full = false;
  engine_->maintenance().run_once();
  const bson::Timestamp second = change()->cluster_time;
  EXPECT_GT(second, first);
  EXPECT_EQ(engine_->changes_after({}, 0, 10)->size(), 2U);
}

TEST_F(DiskFaultTest, a_write_whose_sync_fails_is_not_acknowledged_and_not_visible) {
  ASSERT_TRUE(try_put(1).has_value());
  fault_->sync_fails = true;
  EXPECT_EQ(code_of(try_put(2)), ErrorCode::kIo);
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople), ids({1}));
  EXPECT_EQ(code_of(try_put(3)), ErrorCode::kIo);
}

TEST_F(DiskFaultTest, locks_of_a_failed_commit_are_released) {
  fault_->is_full = true;
  EXPECT_EQ(code_of(try_put(1)), ErrorCode::kIo);
  auto transaction = engine_->begin(Mode::kSnapshot);
  std::string bytes;
  EXPECT_FALSE(*transaction->lock_record(kPeople, 1, bytes));
}

TEST_F(DiskFaultTest, a_flush_that_fails_on_a_full_disk_does_not_lose_commits) {
  ASSERT_TRUE(try_put(1).has_value());
  fault_->is_full = true;
  EXPECT_FALSE(engine_->database().db()->Flush({}, engine_->database().families()).ok());
  EXPECT_EQ(code_of(try_put(2)), ErrorCode::kIo);
  fault_->is_full = false;
  engine_->maintenance().run_once();
  ASSERT_TRUE(try_put(3).has_value());
  EXPECT_EQ(rows_after_kill(), ids({1, 3}));
}

}  // namespace
}  // namespace restitch::storage::test
