// RocksDB under the shapes of engine_store.h, with the options, keys and values of the cluster.

#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <atomic>
#include <functional>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "bench/macro/documents.h"
#include "bench/macro/engine_store.h"
#include "bson/key_encoding.h"
#include "storage/database.h"
#include "storage/key_layout.h"

namespace restitch::bench {
namespace {

using bson::Document;
using Clock = std::chrono::steady_clock;
using storage::Family;
namespace keys = storage::keys;

// Idents of a collection and its two indexes.
struct Idents {
  std::uint32_t records, by_id, by_amount;
};
constexpr Idents kItems{101, 102, 103};
constexpr Idents kWrites{201, 202, 203};

void check(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

std::string encoded(const bson::Value& value) {
  std::string key;
  bson::append_key(key, value);
  return key;
}

std::string type_bits(const bson::Value& value) {
  std::string bits;
  bson::append_type_bits(bits, value);
  return bits;
}

class RawStore final : public EngineStore {
 public:
  explicit RawStore(const std::string& directory) {
    storage::EngineOptions options;
    options.directory = directory;
    auto opened = storage::Database::open(
        options, rocksdb::NewCompositeEnv(rocksdb::FileSystem::Default()));
    if (!opened) throw std::runtime_error(opened.error().message());
    database_ = std::move(*opened);
    next_ = database_->db()->GetLatestSequenceNumber() + 1;
  }

  void load(std::size_t documents) override {
    for (std::size_t first = 0; first < documents; first += kEngineBatch) {
      rocksdb::WriteBatch batch;
      for (std::size_t number = first; number < std::min(first + kEngineBatch, documents);
           ++number) {
        const std::int32_t amount = amount_of(number, documents);
        put(batch, kItems, number + 1, item_id(number), item(item_id(number), number, amount),
            amount);
      }
      check(database_->db()->Write(rocksdb::WriteOptions(), &batch));
    }
  }

  Outcome run(const Workload& workload, std::size_t documents) override {
    const auto operation = operation_of(workload.name, documents);
    std::vector<Outcome> outcomes(workload.threads);
    std::vector<std::exception_ptr> failures(workload.threads);
    std::vector<std::thread> threads;
    const std::size_t seed = ++runs_ * workload.threads;
    const Clock::time_point start = Clock::now();
    for (std::size_t i = 0; i < workload.threads; ++i) {
      threads.emplace_back([&, i] {
        try {
          repeat(operation, seed + i, start + workload.duration, outcomes[i]);
        } catch (...) {
          failures[i] = std::current_exception();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    Outcome all;
    all.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    for (const auto& failure : failures) {
      if (failure) std::rethrow_exception(failure);
    }
    for (const Outcome& outcome : outcomes) {
      all.latencies.merge(outcome.latencies);
      all.documents += outcome.documents;
    }
    return all;
  }

 private:
  // Does one operation; the number of documents.
  using Operation = std::function<std::size_t(std::mt19937_64&)>;

  static void repeat(const Operation& operation, std::size_t seed, Clock::time_point deadline,
                     Outcome& outcome) {
    std::mt19937_64 random(seed);
    for (Clock::time_point start = Clock::now(); start < deadline; start = Clock::now()) {
      outcome.documents += operation(random);
      outcome.latencies.record(Clock::now() - start);
    }
  }

  Operation operation_of(const std::string& name, std::size_t documents) {
    if (name == "get") {
      return [this, documents](std::mt19937_64& random) { return get(random() % documents); };
    }
    if (name == "range") {
      return [this, documents](std::mt19937_64& random) {
        return range(random() % (documents - static_cast<std::size_t>(kRangeDocuments)));
      };
    }
    if (name == "scan") return [this](std::mt19937_64&) { return scan(); };
    // Documents are made before, as the commands to the cluster are.
    auto made = std::make_shared<std::vector<Document>>();
    for (std::size_t number = 0; number < kEngineBatch; ++number) {
      made->push_back(item(item_id(number), number, static_cast<std::int32_t>(number)));
    }
    const std::size_t count = name == "insert many" ? kEngineBatch : 1;
    const bool is_synced = name != "insert buffered";
    if (name != "insert" && name != "insert many" && is_synced) {
      throw std::runtime_error("no workload " + name);
    }
    return [this, made, count, is_synced](std::mt19937_64& random) {
      return insert(*made, count, is_synced, random);
    };
  }

  void put(rocksdb::WriteBatch& batch, const Idents& idents, std::uint64_t record,
           const bson::ObjectId& id, const Document& document, std::int32_t amount) const {
    const auto record_id = static_cast<storage::RecordId>(record);
    const bson::Value id_value = bson::Value::of(id);
    const bson::Value amount_value = bson::Value::of(amount);
    std::string to_record(keys::kRecordIdBytes, '\0');
    keys::store_be64(to_record.data(), record);
    check(batch.Put(database_->family(Family::kRecords),
                    keys::RecordKey(idents.records, record_id).view(), document.bytes()));
    rocksdb::ColumnFamilyHandle* indexes = database_->family(Family::kIndexes);
    check(batch.Put(indexes, keys::EntryKey(idents.by_id, encoded(id_value)).view(),
                    to_record + type_bits(id_value)));
    check(batch.Put(indexes,
                    keys::EntryKey(idents.by_amount, encoded(amount_value), record_id).view(),
                    type_bits(amount_value)));
  }

  std::size_t get(std::size_t number) const {
    const keys::EntryKey key(kItems.by_id, encoded(bson::Value::of(item_id(number))));
    std::string entry, document;
    const rocksdb::ReadOptions& options = database_->newest();
    check(database_->db()->Get(options, database_->family(Family::kIndexes), key.view(), &entry));
    const auto record = static_cast<storage::RecordId>(keys::load_be64(entry.data()));
    check(database_->db()->Get(options, database_->family(Family::kRecords),
                               keys::RecordKey(kItems.records, record).view(), &document));
    return 1;
  }

  std::size_t range(std::size_t first) const {
    const auto key_of = [](std::size_t amount) {
      return encoded(bson::Value::of(static_cast<std::int32_t>(amount)));
    };
    const keys::EntryKey begin(kItems.by_amount, key_of(first));
    const keys::EntryKey end(kItems.by_amount,
                             key_of(first + static_cast<std::size_t>(kRangeDocuments)));
    rocksdb::ReadOptions options = database_->newest();
    const rocksdb::Slice upper(end.view());
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> entries(
        database_->db()->NewIterator(options, database_->family(Family::kIndexes)));
    std::string answer, document;
    std::size_t count = 0;
    for (entries->Seek(begin.view()); entries->Valid(); entries->Next(), ++count) {
      const rocksdb::Slice key = entries->key();
      const auto record = static_cast<storage::RecordId>(
          keys::load_be64(key.data() + key.size() - keys::kRecordIdBytes));
      check(database_->db()->Get(database_->newest(),
                                 database_->family(Family::kRecords),
                                 keys::RecordKey(kItems.records, record).view(), &document));
      answer.append(document);
    }
    check(entries->status());
    if (count != static_cast<std::size_t>(kRangeDocuments)) throw std::runtime_error("lost some");
    return count;
  }

  std::size_t scan() const {
    const std::string end = keys::ident_end(kItems.records);
    rocksdb::ReadOptions options = database_->newest();
    const rocksdb::Slice upper(end);
    options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> records(
        database_->db()->NewIterator(options, database_->family(Family::kRecords)));
    std::size_t count = 0;
    for (records->Seek(keys::ident_prefix(kItems.records)); records->Valid(); records->Next()) {
      if (records->value().size() == kItemBytes) ++count;
    }
    check(records->status());
    return count;
  }

  std::size_t insert(const std::vector<Document>& documents, std::size_t count, bool is_synced,
                     std::mt19937_64& random) {
    rocksdb::WriteOptions options;
    options.sync = is_synced;
    rocksdb::WriteBatch batch;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t record = next_.fetch_add(1);
      const Document& document = documents[record % documents.size()];
      put(batch, kWrites, record, item_id(record), document,
          static_cast<std::int32_t>(random() % 1'000'000));
    }
    check(database_->db()->Write(options, &batch));
    return count;
  }

  std::shared_ptr<storage::Database> database_;
  std::atomic<std::uint64_t> next_{0};
  std::size_t runs_ = 0;
};

}  // namespace

std::unique_ptr<EngineStore> open_raw(const std::string& directory) {
  return std::make_unique<RawStore>(directory);
}

}  // namespace restitch::bench
