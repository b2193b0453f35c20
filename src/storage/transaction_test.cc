#include "storage/test_support.h"

namespace restitch::storage::test {
namespace {

constexpr CollectionId kPeople = 7;
constexpr IndexRef kByName{11, false};
constexpr IndexRef kById{12, true};
using Mode = Transaction::Mode;

class TransactionTest : public ::testing::Test {
 protected:
  std::unique_ptr<Transaction> begin(Mode mode) { return engine_->begin(mode); }

  TempDirectory directory_;
  std::unique_ptr<EngineImpl> engine_ = open_engine(options_for(directory_.path()));
};

class BothModes : public TransactionTest, public ::testing::WithParamInterface<Mode> {};
INSTANTIATE_TEST_SUITE_P(modes, BothModes, ::testing::Values(Mode::kSnapshot, Mode::kLatest),
                         [](const auto& mode) {
                           return std::string(mode.param == Mode::kSnapshot ? "snapshot"
                                                                            : "latest");
                         });

TEST_P(BothModes, own_writes_are_read_back_and_nobody_else_sees_them) {
  put(*engine_, kPeople, 1, 10);
  auto transaction = begin(GetParam());
  ok(transaction->put_record(kPeople, 1, doc(11)));
  ok(transaction->put_record(kPeople, 2, doc(20)));
  EXPECT_EQ(read(*transaction, kPeople, 1), 11);
  EXPECT_EQ(read(*transaction, kPeople, 2), 20);
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople), (Rows{{1, 10}}));
  ok(transaction->delete_record(kPeople, 1));
  EXPECT_EQ(read(*transaction, kPeople, 1), std::nullopt);
  committed(*engine_, std::move(transaction));
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople), (Rows{{2, 20}}));
}

TEST_P(BothModes, scans_merge_own_writes_with_committed_records) {
  for (const RecordId id : {2, 4, 6, 8}) put(*engine_, kPeople, id, static_cast<std::int32_t>(id));
  auto transaction = begin(GetParam());
  ok(transaction->put_record(kPeople, 1, doc(-1)));
  ok(transaction->put_record(kPeople, 4, doc(-4)));
  ok(transaction->put_record(kPeople, 5, doc(-5)));
  ok(transaction->put_record(kPeople, 9, doc(-9)));
  ok(transaction->delete_record(kPeople, 6));
  ok(transaction->delete_record(kPeople, 7));
  ok(transaction->put_record(kPeople + 1, 1, doc(77)));
  const Rows expected{{1, -1}, {2, 2}, {4, -4}, {5, -5}, {8, 8}, {9, -9}};
  EXPECT_EQ(scan(*transaction, kPeople), expected);
  EXPECT_EQ(scan(*transaction, kPeople, false), Rows(expected.rbegin(), expected.rend()));
  EXPECT_EQ(scan(*transaction, kPeople, true, 5), (Rows{{5, -5}, {8, 8}, {9, -9}}));
  EXPECT_EQ(scan(*transaction, kPeople, false, 5), (Rows{{5, -5}, {4, -4}, {2, 2}, {1, -1}}));
}

TEST_P(BothModes, index_scans_merge_own_writes) {
  auto setup = begin(Mode::kLatest);
  ok(setup->put_entry(kByName, "b", "", 1));
  ok(setup->put_entry(kByName, "d", "", 2));
  ok(setup->put_entry(kById, "b", "", 1));
  ok(setup->put_entry(kById, "d", "", 2));
  committed(*engine_, std::move(setup));
  auto transaction = begin(GetParam());
  ok(transaction->put_entry(kByName, "a", "x", 3));
  ok(transaction->put_entry(kByName, "b", "y", 4));
  ok(transaction->delete_entry(kByName, "d", 2));
  ok(transaction->delete_entry(kById, "b", 1));
  ok(transaction->put_entry(kById, "c", "z", 1));
  const std::vector<Entry> expected{{"a", "x", 3}, {"b", "", 1}, {"b", "y", 4}};
  EXPECT_EQ(entries(*transaction, kByName), expected);
  EXPECT_EQ(entries(*transaction, kByName, {}, false),
            std::vector<Entry>(expected.rbegin(), expected.rend()));
  EXPECT_EQ(entries(*transaction, kByName, {"a", "b"}, false), (std::vector<Entry>{{"a", "x", 3}}));
  EXPECT_EQ(entries(*transaction, kById), (std::vector<Entry>{{"c", "z", 1}, {"d", "", 2}}));
  auto cursor = transaction->entries(kByName, {}, false, ReadTier::kAll);
  ok(cursor->seek("b"));
  EXPECT_TRUE(*cursor->next());
  EXPECT_EQ(cursor->record(), 4);
}

TEST_P(BothModes, an_open_scan_follows_the_writes_made_during_it) {
  for (RecordId id = 1; id <= 5; ++id) put(*engine_, kPeople, id, static_cast<std::int32_t>(id));
  auto transaction = begin(GetParam());
  auto cursor = transaction->records(kPeople, true, ReadTier::kAll);
  Rows seen;
  while (*cursor->next()) {
    const std::int32_t value = value_of(cursor->document());
    seen.emplace_back(cursor->id(), value);
    if (value < 100) ok(transaction->put_record(kPeople, cursor->id(), doc(value + 100)));
    if (cursor->id() == 2) ok(transaction->delete_record(kPeople, 4));
    if (cursor->id() == 3) ok(transaction->put_record(kPeople, 6, doc(106)));
  }
  EXPECT_EQ(seen, (Rows{{1, 1}, {2, 2}, {3, 3}, {5, 5}, {6, 106}}));
  EXPECT_EQ(scan(*transaction, kPeople), (Rows{{1, 101}, {2, 102}, {3, 103}, {5, 105}, {6, 106}}));
}

TEST_P(BothModes, rollback_to_mark_takes_back_writes_and_changes) {
  auto transaction = begin(GetParam());
  ok(transaction->put_record(kPeople, 1, doc(1)));
  transaction->add_change({doc(1), std::nullopt});
  const std::size_t bytes = transaction->write_bytes();
  transaction->mark();
  auto cursor = transaction->records(kPeople, true, ReadTier::kAll);
  ok(transaction->put_record(kPeople, 1, doc(2)));
  ok(transaction->put_record(kPeople, 2, doc(2)));
  ok(transaction->put_entry(kById, "k", "", 2));
  transaction->add_change({doc(2), std::nullopt});
  EXPECT_TRUE(*cursor->next());
  EXPECT_EQ(value_of(cursor->document()), 2);
  transaction->rollback_to_mark();
  EXPECT_FALSE(*cursor->next());
  EXPECT_EQ(scan(*transaction, kPeople), (Rows{{1, 1}}));
  EXPECT_EQ(transaction->write_bytes(), bytes);
  transaction->mark();
  transaction->mark();
  ok(transaction->put_record(kPeople, 3, doc(3)));
  committed(*engine_, std::move(transaction));
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople), (Rows{{1, 1}, {3, 3}}));
  EXPECT_EQ(*engine_->snapshot()->unique_entry(kById.id, "k", ReadTier::kAll), std::nullopt);
  EXPECT_EQ(engine_->changes_after({}, 0, 10)->size(), 1U);
}

TEST_P(BothModes, a_record_held_by_an_open_transaction_conflicts_at_once) {
  put(*engine_, kPeople, 1, 10);
  auto holder = begin(Mode::kLatest);
  std::string bytes;
  EXPECT_TRUE(*holder->lock_record(kPeople, 1, bytes));
  auto transaction = begin(GetParam());
  EXPECT_EQ(code_of(transaction->lock_record(kPeople, 1, bytes)), ErrorCode::kWriteConflict);
  EXPECT_EQ(code_of(transaction->put_record(kPeople, 1, doc(1))), ErrorCode::kWriteConflict);
  EXPECT_EQ(code_of(transaction->delete_record(kPeople, 1)), ErrorCode::kWriteConflict);
  EXPECT_EQ(transaction->put_record(kPeople, 1, doc(1)).error().mongo_code(), 112);
  holder.reset();
  EXPECT_TRUE(*transaction->lock_record(kPeople, 1, bytes));
}

TEST_P(BothModes, a_unique_key_of_another_record_is_a_duplicate) {
  auto setup = begin(Mode::kLatest);
  ok(setup->put_entry(kById, "k", "", 1));
  committed(*engine_, std::move(setup));
  auto transaction = begin(GetParam());
  EXPECT_EQ(code_of(transaction->put_entry(kById, "k", "", 2)), ErrorCode::kDuplicateKey);
  ok(transaction->put_entry(kById, "k", "other bits", 1));
  ok(transaction->put_entry(kById, "own", "", 3));
  EXPECT_EQ(code_of(transaction->put_entry(kById, "own", "", 4)), ErrorCode::kDuplicateKey);
  ok(transaction->delete_entry(kById, "k", 1));
  ok(transaction->put_entry(kById, "k", "", 2));
  committed(*engine_, std::move(transaction));
  EXPECT_EQ(*engine_->snapshot()->unique_entry(kById.id, "k", ReadTier::kAll),
            std::optional<RecordId>(2));
}

TEST_P(BothModes, a_unique_key_that_is_not_committed_yet_conflicts) {
  auto holder = begin(Mode::kLatest);
  ok(holder->put_entry(kById, "k", "", 1));
  auto transaction = begin(GetParam());
  EXPECT_EQ(code_of(transaction->put_entry(kById, "k", "", 2)), ErrorCode::kWriteConflict);
}

TEST_P(BothModes, deleting_a_unique_key_of_another_record_changes_nothing) {
  auto setup = begin(Mode::kLatest);
  ok(setup->put_entry(kById, "k", "", 1));
  committed(*engine_, std::move(setup));
  auto transaction = begin(GetParam());
  ok(transaction->delete_entry(kById, "k", 2));
  ok(transaction->delete_entry(kById, "absent", 2));
  committed(*engine_, std::move(transaction));
  EXPECT_EQ(*engine_->snapshot()->unique_entry(kById.id, "k", ReadTier::kAll),
            std::optional<RecordId>(1));
}

TEST_F(TransactionTest, snapshot_mode_reads_its_snapshot_and_latest_mode_the_newest) {
  put(*engine_, kPeople, 1, 10);
  auto old = begin(Mode::kSnapshot);
  auto latest = begin(Mode::kLatest);
  put(*engine_, kPeople, 1, 20);
  put(*engine_, kPeople, 2, 30);
  EXPECT_EQ(scan(*old, kPeople), (Rows{{1, 10}}));
  EXPECT_EQ(scan(*latest, kPeople), (Rows{{1, 20}, {2, 30}}));
  std::string bytes;
  EXPECT_TRUE(*latest->lock_record(kPeople, 1, bytes));
  EXPECT_EQ(read(*latest, kPeople, 1), 20);
}

TEST_F(TransactionTest, snapshot_mode_conflicts_with_what_changed_after_the_snapshot) {
  put(*engine_, kPeople, 1, 10);
  put(*engine_, kPeople, 2, 10);
  auto transaction = begin(Mode::kSnapshot);
  put(*engine_, kPeople, 1, 20);
  auto setup = begin(Mode::kLatest);
  ok(setup->delete_record(kPeople, 2));
  ok(setup->put_entry(kById, "new", "", 5));
  committed(*engine_, std::move(setup));
  std::string bytes;
  EXPECT_EQ(code_of(transaction->lock_record(kPeople, 1, bytes)), ErrorCode::kWriteConflict);
  EXPECT_EQ(code_of(transaction->put_record(kPeople, 2, doc(1))), ErrorCode::kWriteConflict);
  EXPECT_EQ(code_of(transaction->put_entry(kById, "new", "", 6)), ErrorCode::kWriteConflict);
  // What did not change is free.
  ok(transaction->put_record(kPeople, 3, doc(1)));
}

TEST_F(TransactionTest, a_change_after_the_snapshot_is_found_when_it_was_flushed_to_disk) {
  put(*engine_, kPeople, 1, 10);
  auto transaction = begin(Mode::kSnapshot);
  put(*engine_, kPeople, 1, 20);
  for (int i = 0; i < 3; ++i) {
    put(*engine_, kPeople, 100 + i, 1);
    ok(checked(engine_->database().db()->Flush({}, engine_->database().families())));
  }
  std::string bytes;
  EXPECT_EQ(code_of(transaction->lock_record(kPeople, 1, bytes)), ErrorCode::kWriteConflict);
}

TEST_F(TransactionTest, a_failed_lock_is_not_kept) {
  put(*engine_, kPeople, 1, 10);
  auto transaction = begin(Mode::kSnapshot);
  put(*engine_, kPeople, 1, 20);
  std::string bytes;
  EXPECT_EQ(code_of(transaction->lock_record(kPeople, 1, bytes)), ErrorCode::kWriteConflict);
  put(*engine_, kPeople, 1, 30);
  EXPECT_EQ(read(*engine_->snapshot(), kPeople, 1), 30);
}

TEST_F(TransactionTest, write_skew_is_allowed) {
  put(*engine_, kPeople, 1, 1);
  put(*engine_, kPeople, 2, 1);
  auto first = begin(Mode::kSnapshot);
  auto second = begin(Mode::kSnapshot);
  EXPECT_EQ(read(*first, kPeople, 2), 1);
  EXPECT_EQ(read(*second, kPeople, 1), 1);
  ok(first->put_record(kPeople, 1, doc(0)));
  ok(second->put_record(kPeople, 2, doc(0)));
  committed(*engine_, std::move(first));
  committed(*engine_, std::move(second));
  EXPECT_EQ(scan(*engine_->snapshot(), kPeople), (Rows{{1, 0}, {2, 0}}));
}

TEST_F(TransactionTest, a_snapshot_begun_after_an_acknowledged_commit_sees_it) {
  for (std::int32_t i = 1; i <= 200; ++i) {
    put(*engine_, kPeople, 1, i);
    auto transaction = begin(Mode::kSnapshot);
    ASSERT_EQ(read(*transaction, kPeople, 1), i);
    ASSERT_GE(transaction->cluster_time(), engine_->last_committed());
    ok(transaction->put_record(kPeople, 1, doc(i)));
  }
}

TEST_F(TransactionTest, record_id_zero_is_refused) {
  auto transaction = begin(Mode::kLatest);
  EXPECT_EQ(code_of(transaction->put_record(kPeople, 0, doc(1))), ErrorCode::kIo);
}

}  // namespace
}  // namespace restitch::storage::test
