#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "bson/document.h"
#include "storage/engine_impl.h"

namespace restitch::storage::test {

// A directory that is gone at the end of the test.
class TempDirectory {
 public:
  TempDirectory() {
    static std::atomic<int> counter{0};
    path_ = std::filesystem::temp_directory_path() /
            ("restitch-storage-" + std::to_string(::getpid()) + "-" + std::to_string(counter++));
    std::filesystem::create_directories(path_);
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  std::string path(std::string_view below = {}) const { return (path_ / below).string(); }

 private:
  std::filesystem::path path_;
};

inline EngineOptions options_for(const std::string& directory) {
  EngineOptions options;
  options.directory = directory;
  options.block_cache_bytes = 8U << 20U;
  options.write_buffer_bytes = 4U << 20U;
  return options;
}

// Opens without the maintenance thread, so that tests say when a round runs.
inline std::unique_ptr<EngineImpl> open_engine(const EngineOptions& options,
                                               EngineEnvironment environment = {}) {
  environment.has_maintenance_thread = false;
  Result<std::unique_ptr<EngineImpl>> engine = EngineImpl::open(options, std::move(environment));
  EXPECT_TRUE(engine.has_value()) << (engine ? ""
                                             : engine.error().message() + " " +
                                                   engine.error().detail());
  return engine ? std::move(*engine) : nullptr;
}

inline bson::Document doc(std::int32_t value) { return bson::make_document("v", value); }
inline std::int32_t value_of(bson::View document) { return document["v"].get_int32(); }

inline Result<Committed> commit(Engine& engine, std::unique_ptr<Transaction> transaction,
                                Durability durability = Durability::kJournaled) {
  std::promise<Result<Committed>> promise;
  engine.commit(std::move(transaction), durability,
                [&promise](Result<Committed> result) { promise.set_value(std::move(result)); });
  return promise.get_future().get();
}

inline Committed committed(Engine& engine, std::unique_ptr<Transaction> transaction,
                           Durability durability = Durability::kJournaled) {
  Result<Committed> result = commit(engine, std::move(transaction), durability);
  EXPECT_TRUE(result.has_value()) << (result ? "" : result.error().message());
  return result ? *result : Committed{};
}

inline void ok(const Status& status) {
  Status copy = status;
  EXPECT_TRUE(copy.has_value()) << (copy ? ""
                                         : copy.error().message() + " " + copy.error().detail());
}

template <typename T>
ErrorCode code_of(Result<T> result) {
  EXPECT_FALSE(result.has_value());
  return result ? ErrorCode::kInternal : result.error().code();
}

// One committed record.
inline void put(Engine& engine, CollectionId collection, RecordId id, std::int32_t value) {
  auto transaction = engine.begin(Transaction::Mode::kLatest);
  ok(transaction->put_record(collection, id, doc(value)));
  committed(engine, std::move(transaction));
}

inline std::optional<std::int32_t> read(const Reader& reader, CollectionId collection,
                                        RecordId id) {
  std::string bytes;
  Result<bool> found = reader.record(collection, id, ReadTier::kAll, bytes);
  EXPECT_TRUE(found.has_value());
  if (!found || !*found) return std::nullopt;
  return value_of(bson::View(reinterpret_cast<const std::uint8_t*>(bytes.data())));
}

using Rows = std::vector<std::pair<RecordId, std::int32_t>>;

inline Rows rows_of(RecordCursor& cursor) {
  Rows rows;
  for (;;) {
    Result<bool> found = cursor.next();
    EXPECT_TRUE(found.has_value()) << (found ? "" : found.error().message());
    if (!found || !*found) return rows;
    rows.emplace_back(cursor.id(), value_of(cursor.document()));
  }
}

inline Rows scan(const Reader& reader, CollectionId collection, bool forward = true,
                 std::optional<RecordId> from = std::nullopt) {
  return rows_of(*reader.records(collection, forward, ReadTier::kAll, from));
}

// How many drops are not carried out yet.
inline int reclaim_jobs(const EngineImpl& engine) {
  int count = 0;
  const std::unique_ptr<rocksdb::Iterator> rows(engine.database().db()->NewIterator(
      engine.database().newest(), engine.database().family(Family::kMeta)));
  for (rows->Seek(keys::kReclaimRows); rows->Valid(); rows->Next()) {
    count += rows->key().starts_with(keys::kReclaimRows) ? 1 : 0;
  }
  return count;
}

struct Entry {
  std::string key;
  std::string bits;
  RecordId record = 0;
  bool operator==(const Entry&) const = default;
};
inline std::ostream& operator<<(std::ostream& out, const Entry& entry) {
  return out << entry.key << "/" << entry.bits << "->" << entry.record;
}

inline std::vector<Entry> entries_of(IndexCursor& cursor) {
  std::vector<Entry> entries;
  for (;;) {
    Result<bool> found = cursor.next();
    EXPECT_TRUE(found.has_value());
    if (!found || !*found) return entries;
    entries.push_back(
        {std::string(cursor.key()), std::string(cursor.type_bits()), cursor.record()});
  }
}

inline std::vector<Entry> entries(const Reader& reader, IndexRef index, KeyRange range = {},
                                  bool forward = true) {
  return entries_of(*reader.entries(index, std::move(range), forward, ReadTier::kAll));
}

}  // namespace restitch::storage::test
