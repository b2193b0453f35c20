#include "storage/document_cache.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "storage/test_support.h"

namespace restitch::storage {
namespace {

constexpr IndexId kIndex = 7;
constexpr CollectionId kCollection = 3;
constexpr IndexRef kUnique{kIndex, true};

std::optional<std::string> found_in(DocumentCache& cache, std::string_view key, keys::Ticks time) {
  std::string out;
  if (!cache.find({kIndex, kCollection, key}, time, out)) return std::nullopt;
  return out;
}

TEST(DocumentCache, what_was_kept_is_found_by_readers_of_any_age_while_nothing_is_written) {
  DocumentCache cache(1U << 20U);
  cache.keep({kIndex, kCollection, "k"}, 10, 1, "document");
  EXPECT_EQ(found_in(cache, "k", 10), "document");
  EXPECT_EQ(found_in(cache, "k", 5), "document");
  EXPECT_EQ(found_in(cache, "k", 15), "document");
  EXPECT_EQ(found_in(cache, "other", 10), std::nullopt);
}

TEST(DocumentCache, a_write_to_the_record_hides_the_document_from_both_sides_of_it) {
  DocumentCache cache(1U << 20U);
  cache.keep({kIndex, kCollection, "k"}, 10, 1, "old");
  cache.note_write(DocumentCache::hash_of_record(kCollection, 1), 12);
  EXPECT_EQ(found_in(cache, "k", 12), std::nullopt);
  cache.keep({kIndex, kCollection, "k"}, 12, 1, "new");
  EXPECT_EQ(found_in(cache, "k", 12), "new");
  EXPECT_EQ(found_in(cache, "k", 13), "new");
  EXPECT_EQ(found_in(cache, "k", 11), std::nullopt);
}

TEST(DocumentCache, a_write_to_the_index_entry_hides_the_document) {
  DocumentCache cache(1U << 20U);
  cache.keep({kIndex, kCollection, "k"}, 10, 1, "old");
  cache.note_write(DocumentCache::hash_of_entry(kIndex, "k"), 12);
  EXPECT_EQ(found_in(cache, "k", 12), std::nullopt);
}

TEST(DocumentCache, what_an_older_reader_kept_after_a_write_is_not_given_to_newer_ones) {
  DocumentCache cache(1U << 20U);
  cache.note_write(DocumentCache::hash_of_record(kCollection, 1), 12);
  cache.keep({kIndex, kCollection, "k"}, 10, 1, "old");
  EXPECT_EQ(found_in(cache, "k", 12), std::nullopt);
}

TEST(DocumentCache, keeps_within_its_bytes) {
  DocumentCache cache(256U << 10U);
  const std::string document(1000, 'd');
  const auto key_of = [](int number) { return "key " + std::to_string(number); };
  for (int number = 0; number < 5000; ++number) {
    cache.keep({kIndex, kCollection, key_of(number)}, 1, number, document);
  }
  int found = 0;
  for (int number = 0; number < 5000; ++number) {
    if (found_in(cache, key_of(number), 1)) ++found;
  }
  EXPECT_GT(found, 50);
  EXPECT_LE(found, 256);
}

TEST(DocumentCache, without_bytes_nothing_is_kept) {
  DocumentCache cache(0);
  cache.keep({kIndex, kCollection, "k"}, 10, 1, "document");
  EXPECT_EQ(found_in(cache, "k", 10), std::nullopt);
}

std::string key_name(int number) { return std::string("k") + static_cast<char>('a' + number); }

// Puts, replaces, moves and deletes documents under a few unique keys.
void write_at_random(EngineImpl& engine, std::mt19937& random, int rounds) {
  for (int round = 0; round < rounds; ++round) {
    auto transaction = engine.begin(Transaction::Mode::kLatest);
    const std::string key = key_name(static_cast<int>(random() % 8));
    const auto owner = transaction->unique_entry(kIndex, key, ReadTier::kAll);
    ASSERT_TRUE(owner);
    std::string bytes;
    if (!*owner) {
      const RecordId id = engine.allocate_record_id(kCollection);
      if (!transaction->put_entry(kUnique, key, {}, id)) continue;
      ASSERT_TRUE(transaction->put_record(kCollection, id, test::doc(round)));
    } else {
      const auto locked = transaction->lock_record(kCollection, **owner, bytes);
      if (!locked || !*locked) continue;
      if (random() % 3 == 0) {
        if (!transaction->delete_entry(kUnique, key, **owner)) continue;
        ASSERT_TRUE(transaction->delete_record(kCollection, **owner));
      } else {
        ASSERT_TRUE(transaction->put_record(kCollection, **owner, test::doc(round)));
      }
    }
    std::promise<void> done;
    engine.commit(std::move(transaction), Durability::kBuffered,
                  [&done](Result<Committed>) { done.set_value(); });
    done.get_future().wait();
  }
}

TEST(DocumentCache, snapshots_of_any_age_agree_with_reads_past_the_cache) {
  const std::uint32_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  const test::TempDirectory directory;
  const auto engine = test::open_engine(test::options_for(directory.path()));
  ASSERT_NE(engine, nullptr);
  std::atomic<bool> is_over{false};
  std::thread writer([&] {
    std::mt19937 random(seed);
    write_at_random(*engine, random, 3000);
    is_over = true;
  });
  const auto read = [&](std::uint32_t number) {
    std::mt19937 random(seed + number);
    std::vector<SnapshotPtr> snapshots;
    while (!is_over) {
      snapshots.push_back(engine->snapshot());
      if (snapshots.size() > 8) snapshots.erase(snapshots.begin());
      const Reader& snapshot = *snapshots[random() % snapshots.size()];
      const std::string key = key_name(static_cast<int>(random() % 8));
      std::string cached, stored;
      const auto record = snapshot.keyed_record(kIndex, key, kCollection, ReadTier::kAll, cached);
      const auto owner = snapshot.unique_entry(kIndex, key, ReadTier::kAll);
      ASSERT_TRUE(record && owner);
      ASSERT_EQ(*record, *owner);
      if (!*owner) continue;
      ASSERT_TRUE(*snapshot.record(kCollection, **owner, ReadTier::kAll, stored));
      ASSERT_EQ(cached, stored);
    }
  };
  std::thread first([&] { read(1); }), second([&] { read(2); });
  writer.join();
  first.join();
  second.join();
}

}  // namespace
}  // namespace restitch::storage
