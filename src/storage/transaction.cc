#include "storage/transaction.h"

#include <rocksdb/utilities/transaction_db.h>

#include <thread>

#include "storage/cursors.h"
#include "storage/key_layout.h"
#include "storage/page_cache_reads.h"

namespace restitch::storage {
namespace {

constexpr std::size_t kIdleWorkspaces = 64;
constexpr std::size_t kLargestIdleBatch = 1U << 20U;
constexpr int kMongoDuplicateKey = 11000;

// Options of lock requests; they read nothing.
const rocksdb::ReadOptions kLockOptions;

}  // namespace

std::unique_ptr<Workspace> WorkspacePool::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<Workspace> workspace = std::move(idle_.back());
      idle_.pop_back();
      return workspace;
    }
  }
  rocksdb::TransactionOptions options;
  options.lock_timeout = 0;
  auto workspace = std::make_unique<Workspace>();
  workspace->locks.reset(
      database_->transactions()->BeginTransaction(rocksdb::WriteOptions(), options));
  return workspace;
}

void WorkspacePool::give_back(std::unique_ptr<Workspace> workspace) {
  // Rolling back a transaction that wrote nothing only releases its locks and leaves it as it was
  // at its start.
  const bool is_reusable = workspace->locks->Rollback().ok() &&
                           workspace->locks->GetState() == rocksdb::Transaction::STARTED &&
                           workspace->batch.GetDataSize() <= kLargestIdleBatch;
  if (!is_reusable) return;
  workspace->locks->ClearSnapshot();
  workspace->batch.Clear();
  const std::lock_guard lock(mutex_);
  if (idle_.size() < kIdleWorkspaces) idle_.push_back(std::move(workspace));
}

void WorkspacePool::clear() {
  const std::lock_guard lock(mutex_);
  idle_.clear();
}

TransactionImpl::TransactionImpl(std::shared_ptr<WorkspacePool> pool, Mode mode,
                                 bson::Timestamp visible)
    : pool_(std::move(pool)), workspace_(pool_->take()), mode_(mode), visible_(visible) {
  if (mode_ != Mode::kSnapshot) return;
  workspace_->locks->SetSnapshot();
  snapshot_options_ = database().newest();
  snapshot_options_.snapshot = workspace_->locks->GetSnapshot();
}

TransactionImpl::~TransactionImpl() { finish(); }

void TransactionImpl::finish() {
  if (workspace_ != nullptr) pool_->give_back(std::move(workspace_));
}

const rocksdb::ReadOptions& TransactionImpl::read_options() const {
  return mode_ == Mode::kLatest ? database().newest() : snapshot_options_;
}

Result<bool> TransactionImpl::get(Family family, std::string_view key, ReadTier tier,
                                  std::string& out) const {
  rocksdb::DB* db = database().db();
  rocksdb::ColumnFamilyHandle* handle = database().family(family);
  const NoWaitScope scope(tier == ReadTier::kCacheOnly);
  if (writes_ == 0) return found_of(db->Get(read_options(), handle, key, &out));
  return found_of(workspace_->batch.GetFromBatchAndDB(db, read_options(), handle, key, &out));
}

// Takes the key for this transaction. In snapshot mode it must not have changed since the snapshot.
Status TransactionImpl::lock(Family family, std::string_view key) {
  const bool validate = mode_ == Mode::kSnapshot;
  rocksdb::ColumnFamilyHandle* handle = database().family(family);
  for (;;) {
    const rocksdb::Status status = workspace_->locks->GetForUpdate(
        kLockOptions, handle, key, static_cast<std::string*>(nullptr), true, validate);
    // With a timeout of zero, RocksDB does not even wait for the mutex of its lock table.
    const bool lost_mutex =
        status.IsTimedOut() && status.subcode() == rocksdb::Status::kMutexTimeout;
    if (!lost_mutex) return checked(status);
    std::this_thread::yield();
  }
}

Status TransactionImpl::lock_record_key(CollectionId collection, RecordId id) {
  if (has_locked_record_ && locked_collection_ == collection && locked_record_ == id) return {};
  if (id <= 0)
    return Error(ErrorCode::kIo, "no record id could be allocated: the disk cannot be read");
  RESTITCH_CHECK(lock(Family::kRecords, keys::RecordKey(collection, id).view()));
  locked_collection_ = collection;
  locked_record_ = id;
  has_locked_record_ = true;
  return {};
}

Status TransactionImpl::put(Family family, std::string_view key, std::string_view value) {
  ++writes_;
  return checked(workspace_->batch.Put(database().family(family), key, value));
}

Status TransactionImpl::remove(Family family, std::string_view key) {
  ++writes_;
  return checked(workspace_->batch.Delete(database().family(family), key));
}

Result<bool> TransactionImpl::lock_record(CollectionId collection, RecordId id, std::string& out) {
  RESTITCH_CHECK(lock_record_key(collection, id));
  return record(collection, id, ReadTier::kAll, out);
}

Status TransactionImpl::put_record(CollectionId collection, RecordId id, bson::View document) {
  RESTITCH_CHECK(lock_record_key(collection, id));
  written_hashes_.push_back(DocumentCache::hash_of_record(collection, id));
  return put(Family::kRecords, keys::RecordKey(collection, id).view(), document.bytes());
}

Status TransactionImpl::delete_record(CollectionId collection, RecordId id) {
  RESTITCH_CHECK(lock_record_key(collection, id));
  written_hashes_.push_back(DocumentCache::hash_of_record(collection, id));
  return remove(Family::kRecords, keys::RecordKey(collection, id).view());
}

Status TransactionImpl::put_entry(IndexRef index, std::string_view key, std::string_view type_bits,
                                  RecordId id) {
  // The lock of the record covers its entries in indexes that are not unique.
  if (!index.unique)
    return put(Family::kIndexes, keys::EntryKey(index.id, key, id).view(), type_bits);
  const keys::EntryKey entry(index.id, key);
  RESTITCH_CHECK(lock(Family::kIndexes, entry.view()));
  RESTITCH_TRY(const std::optional<RecordId> owner, unique_entry(index.id, key, ReadTier::kAll));
  if (owner && *owner != id) {
    return Error(ErrorCode::kDuplicateKey, kMongoDuplicateKey, "E11000 duplicate key error");
  }
  boost::container::small_vector<char, 64> value(keys::kRecordIdBytes + type_bits.size(),
                                                 boost::container::default_init);
  keys::store_be64(value.data(), static_cast<std::uint64_t>(id));
  if (!type_bits.empty())
    std::memcpy(value.data() + keys::kRecordIdBytes, type_bits.data(), type_bits.size());
  written_hashes_.push_back(DocumentCache::hash_of_entry(index.id, key));
  return put(Family::kIndexes, entry.view(), {value.data(), value.size()});
}

Status TransactionImpl::delete_entry(IndexRef index, std::string_view key, RecordId id) {
  if (!index.unique) return remove(Family::kIndexes, keys::EntryKey(index.id, key, id).view());
  const keys::EntryKey entry(index.id, key);
  RESTITCH_CHECK(lock(Family::kIndexes, entry.view()));
  RESTITCH_TRY(const std::optional<RecordId> owner, unique_entry(index.id, key, ReadTier::kAll));
  if (!owner || *owner != id) return {};
  written_hashes_.push_back(DocumentCache::hash_of_entry(index.id, key));
  return remove(Family::kIndexes, entry.view());
}

void TransactionImpl::add_change(Change change) {
  change_bytes_ +=
      change.entry.bytes().size() + (change.pre_image ? change.pre_image->bytes().size() : 0);
  changes_.push_back(std::move(change));
}

// A batch without a size limit takes every row.
void TransactionImpl::put_session_row(std::string_view key, bson::View row) {
  RESTITCH_ASSERT(put(Family::kSessions, key, row.bytes()).has_value());
}
void TransactionImpl::put_catalog_row(std::string_view key, bson::View row) {
  RESTITCH_ASSERT(put(Family::kCatalog, key, row.bytes()).has_value());
}
void TransactionImpl::delete_catalog_row(std::string_view key) {
  frees_space_ = true;
  RESTITCH_ASSERT(remove(Family::kCatalog, key).has_value());
}

std::size_t TransactionImpl::write_bytes() const {
  return (writes_ == 0 ? 0 : workspace_->batch.GetDataSize()) + change_bytes_;
}

void TransactionImpl::mark() {
  if (has_mark_) (void)workspace_->batch.PopSavePoint();
  workspace_->batch.SetSavePoint();
  has_mark_ = true;
  marked_changes_ = changes_.size();
  marked_change_bytes_ = change_bytes_;
}

void TransactionImpl::rollback_to_mark() {
  RESTITCH_ASSERT(has_mark_);
  RESTITCH_ASSERT(workspace_->batch.RollbackToSavePoint().ok());
  has_mark_ = false;
  changes_.erase(changes_.begin() + static_cast<std::ptrdiff_t>(marked_changes_), changes_.end());
  change_bytes_ = marked_change_bytes_;
  ++writes_;
  ++rollbacks_;
}

}  // namespace restitch::storage
