#include "storage/database.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/transaction_db.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/log.h"
#include "storage/key_layout.h"
#include "storage/rocks_status.h"

namespace restitch::storage {
namespace {

namespace fs = std::filesystem;

constexpr int kFormatVersion = 1;
constexpr std::chrono::seconds kFlushTime{60};
constexpr std::string_view kFormatFile = "RESTITCH-FORMAT";
constexpr std::array<const char*, kFamilies> kFamilyNames = {"default", "cat", "rec", "idx",
                                                             "oplog",   "img", "ses"};

// Notes and logs errors of flushes and compactions, which no caller sees. RocksDB's own attempts to
// recover are switched off: the maintenance thread makes them (LogWriter::repair).
class Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<DatabaseEvents> events) : events_(std::move(events)) {}

  void OnMemTableSealed(const rocksdb::MemTableInfo&) override { events_->sealed.store(true); }

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
    events_->background_failure.store(true);
    log::write(log::Severity::kError, log::Component::kStorage, 3101, "Storage background error",
               {{"error", status->ToString()}});
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* recovers_by_itself) override {
    *recovers_by_itself = false;
  }

 private:
  std::shared_ptr<DatabaseEvents> events_;
};

rocksdb::CompressionType first_supported(std::initializer_list<rocksdb::CompressionType> wanted) {
  const auto supported = rocksdb::GetSupportedCompressions();
  for (const auto type : wanted) {
    if (std::find(supported.begin(), supported.end(), type) != supported.end()) return type;
  }
  return rocksdb::kNoCompression;
}

rocksdb::DBOptions database_options(const EngineOptions& options, rocksdb::Env* env,
                                    std::shared_ptr<DatabaseEvents> events) {
  rocksdb::DBOptions result;
  result.env = env;
  result.create_if_missing = true;
  result.create_missing_column_families = true;
  result.paranoid_checks = true;
  result.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // Over all families, flushed ones that are kept included.
  result.db_write_buffer_size = 4 * options.write_buffer_bytes;
  result.max_background_jobs =
      static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 2U, 8U));
  // Families that are seldom written would keep old write-ahead logs alive.
  result.max_total_wal_size = 6 * options.write_buffer_bytes;
  // Deleting files is left to background threads: readers run on threads that must not wait.
  result.avoid_unnecessary_blocking_io = true;
  result.max_open_files = -1;
  result.keep_log_file_num = 4;
  result.max_log_file_size = 16U << 20U;
  result.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  result.stats_dump_period_sec = 0;
  result.stats_persist_period_sec = 0;
  result.max_bgerror_resume_count = 0;
  result.listeners = {std::make_shared<Listener>(std::move(events))};
  return result;
}

rocksdb::BlockBasedTableOptions table_options(std::shared_ptr<rocksdb::Cache> cache,
                                              std::size_t block_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = std::move(cache);
  table.block_size = block_bytes;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = true;
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  // In parts: the filter of a whole file may be larger than a shard of the cache, which would then
  // never hold it, and every look-up would read it anew.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.pin_top_level_index_and_filter = true;
  table.metadata_block_size = 32U << 10U;
  return table;
}

rocksdb::ColumnFamilyOptions family_options(Family family, const EngineOptions& options,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  const bool is_data = family == Family::kRecords || family == Family::kIndexes;
  const bool is_log = family == Family::kChanges || family == Family::kImages;
  rocksdb::ColumnFamilyOptions result;
  result.level_compaction_dynamic_level_bytes = true;
  result.compression =
      first_supported({rocksdb::kLZ4Compression, rocksdb::kSnappyCompression, rocksdb::kZSTD});
  result.bottommost_compression = first_supported({rocksdb::kZSTD, rocksdb::kLZ4Compression});
  result.write_buffer_size = is_data || is_log
                                 ? options.write_buffer_bytes
                                 : std::max<std::size_t>(options.write_buffer_bytes / 4, 1U << 20U);
  // Flushed memtables are kept only where snapshots are validated against them.
  result.max_write_buffer_size_to_maintain =
      is_data ? static_cast<std::int64_t>(options.write_buffer_bytes) : 1;
  if (is_data) {
    result.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(keys::kIdentBytes));
    result.memtable_prefix_bloom_size_ratio = 0.02;
    result.memtable_whole_key_filtering = true;
  }
  result.table_factory.reset(
      rocksdb::NewBlockBasedTableFactory(table_options(cache, is_log ? 32U << 10U : 8U << 10U)));
  return result;
}

Status sync_directory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Error(ErrorCode::kIo, "cannot open the data directory " + directory);
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  if (!synced) return Error(ErrorCode::kIo, "cannot sync the data directory " + directory);
  return {};
}

// The format is a file of its own, because RocksDB refuses to open a database with unknown column
// families before a row could be read.
Status check_format(const std::string& directory) {
  const fs::path file = fs::path(directory) / kFormatFile;
  std::error_code failure;
  if (!fs::exists(file, failure)) {
    if (fs::exists(fs::path(directory) / "CURRENT", failure)) {
      return Error(ErrorCode::kInvalidArgument,
                   "the directory " + directory + " holds a database that is not Restitch's");
    }
    return write_format_file(directory);
  }
  std::ifstream in(file);
  std::string text;
  std::getline(in, text);
  int version = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), version);
  if (parsed.ec != std::errc() || version < 1) {
    return Error(ErrorCode::kCorrupt, "the format file of " + directory + " is damaged");
  }
  if (version > kFormatVersion) {
    return Error(ErrorCode::kUnsupported, "the data in " + directory +
                                              " was written by a newer version (format " +
                                              std::to_string(version) + ", this version knows " +
                                              std::to_string(kFormatVersion) + ")");
  }
  return {};
}

// RocksDB's own error for a taken lock cannot be told from other I/O errors, so it is looked at
// first.
Status check_lock(const std::string& directory, rocksdb::Env* env) {
  const std::string file = directory + "/LOCK";
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::Status taken = env->LockFile(file, &lock);
  if (taken.ok()) return checked(env->UnlockFile(lock));
  return Error(ErrorCode::kIo, "the data directory " + directory + " is in use by another process")
      .with_detail(taken.ToString());
}

}  // namespace

Status write_format_file(const std::string& directory) {
  const fs::path file = fs::path(directory) / kFormatFile;
  const fs::path fresh = file.string() + ".new";
  const std::string text = std::to_string(kFormatVersion) + "\n";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return Error(ErrorCode::kIo, "cannot write into the data directory " + directory);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  ::close(fd);
  std::error_code failure;
  if (written) fs::rename(fresh, file, failure);
  if (!written || failure)
    return Error(ErrorCode::kIo, "cannot write into the data directory " + directory);
  return sync_directory(directory);
}

Result<std::shared_ptr<Database>> Database::open(const EngineOptions& options,
                                                  std::unique_ptr<rocksdb::Env> env) {
  std::error_code failure;
  fs::create_directories(options.directory, failure);
  if (failure) {
    return Error(ErrorCode::kIo, "cannot create the data directory " + options.directory + ": " +
                                     failure.message());
  }
  RESTITCH_CHECK(check_format(options.directory));
  RESTITCH_CHECK(check_lock(options.directory, env.get()));

  const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes, -1, false, 0.5);
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (std::size_t i = 0; i < kFamilies; ++i) {
    descriptors.emplace_back(kFamilyNames[i],
                             family_options(static_cast<Family>(i), options, cache));
  }
  rocksdb::TransactionDBOptions transaction_options;
  transaction_options.write_policy = rocksdb::TxnDBWritePolicy::WRITE_COMMITTED;
  transaction_options.num_stripes = 64;
  transaction_options.transaction_lock_timeout = 0;

  std::shared_ptr<Database> result(new Database(options));
  result->env_ = std::move(env);
  rocksdb::TransactionDB* opened = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status = rocksdb::TransactionDB::Open(
      database_options(options, result->env_.get(), result->events_), transaction_options, options.directory,
      descriptors, &handles, &opened);
  if (!status.ok()) return error_of(status).with_context("opening " + options.directory);
  result->transactions_.reset(opened);
  result->base_ = opened->GetBaseDB();
  std::copy(handles.begin(), handles.end(), result->handles_.begin());
  return result;
}

Database::~Database() {
  for (auto* handle : handles_) {
    if (handle != nullptr) (void)transactions_->DestroyColumnFamilyHandle(handle);
  }
}

rocksdb::Status Database::flush_all() const {
  const rocksdb::Status begun = base_->Flush(rocksdb::FlushOptions(), families());
  if (!begun.ok()) return begun;
  const auto give_up = std::chrono::steady_clock::now() + kFlushTime;
  for (;;) {
    std::uint64_t unflushed = 0, running = 0;
    base_->GetAggregatedIntProperty(rocksdb::DB::Properties::kNumImmutableMemTable, &unflushed);
    base_->GetIntProperty(rocksdb::DB::Properties::kNumRunningFlushes, &running);
    if (unflushed + running == 0) return rocksdb::Status::OK();
    if (std::chrono::steady_clock::now() > give_up) return rocksdb::Status::TimedOut("flushing");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

rocksdb::ColumnFamilyHandle* Database::family_of_number(std::uint32_t number) const {
  for (auto* handle : handles_) {
    if (handle->GetID() == number) return handle;
  }
  return nullptr;
}

Result<std::optional<std::string>> Database::meta_row(std::string_view key) const {
  std::string value;
  const rocksdb::Status status = base_->Get(newest_, family(Family::kMeta), key, &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  RESTITCH_CHECK(checked(status));
  return std::optional(std::move(value));
}

std::uint64_t Database::bytes_on_disk() const {
  std::uint64_t tables = 0;
  base_->GetAggregatedIntProperty(rocksdb::DB::Properties::kTotalSstFilesSize, &tables);
  rocksdb::VectorLogPtr logs;
  if (!base_->GetSortedWalFiles(logs).ok()) return tables;
  for (const auto& log : logs) tables += log->SizeFileBytes();
  return tables;
}

}  // namespace restitch::storage
