#include "storage/engine.h"

#include <rocksdb/utilities/checkpoint.h>

#include <chrono>

#include "base/log.h"
#include "storage/cursors.h"
#include "storage/engine_impl.h"
#include "storage/key_layout.h"
#include "storage/rocks_status.h"

namespace restitch::storage {
namespace {

// Of the disk's space, beside the memtables'.
constexpr std::uint64_t kLeastReserve = 32ULL << 20U;

std::uint32_t system_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

// The newest cluster time that was given out before; sets a new database up.
Result<keys::Ticks> last_cluster_time(const Database& database, std::uint32_t now) {
  RESTITCH_TRY(const std::optional<std::string> row, database.meta_row(keys::kClockRow));
  if (row) {
    if (row->size() != 8) return Error(ErrorCode::kCorrupt, "stored data is damaged");
    RESTITCH_TRY(const keys::Ticks last_change, ChangeLog::last_stored(database));
    return std::max(keys::load_be64(row->data()), last_change);
  }
  const keys::Ticks start = static_cast<keys::Ticks>(now) << 32U;
  char value[8];
  keys::store_be64(value, start + 1);
  rocksdb::WriteBatch batch;
  ChangeLog::set_up(batch, database, start);
  (void)batch.Put(database.family(Family::kMeta), keys::kClockRow,
                  rocksdb::Slice(value, sizeof(value)));
  rocksdb::WriteOptions options;
  options.sync = true;
  RESTITCH_CHECK(checked(database.db()->Write(options, &batch)));
  return start + 1;
}

}  // namespace

Result<std::unique_ptr<Engine>> Engine::open(EngineOptions options) {
  RESTITCH_TRY(std::unique_ptr<Engine> engine, EngineImpl::open(options, {}));
  return engine;
}

Result<std::unique_ptr<EngineImpl>> EngineImpl::open(const EngineOptions& options,
                                                     EngineEnvironment environment) {
  RESTITCH_TRY(
      std::shared_ptr<Database> database,
      Database::open(options, with_no_wait_reads(*environment.env, environment.uses_page_cache)));
  ClusterClock::Seconds wall =
      environment.wall_seconds ? std::move(environment.wall_seconds) : system_seconds;
  RESTITCH_TRY(const keys::Ticks last, last_cluster_time(*database, wall()));
  std::unique_ptr<EngineImpl> engine(
      new EngineImpl(options, std::move(database), std::move(wall), last));
  RESTITCH_CHECK(engine->start(environment.has_maintenance_thread));
  return engine;
}

EngineImpl::EngineImpl(const EngineOptions& options, std::shared_ptr<Database> database,
                       ClusterClock::Seconds wall, keys::Ticks last)
    : database_(std::move(database)),
      change_log_(*database_, options.change_log_max_age_seconds, options.change_log_max_bytes),
      clock_(std::move(wall), last),
      record_ids_(*database_),
      writer_(*database_, 2 * options.write_buffer_bytes + kLeastReserve),
      workspaces_(std::make_shared<WorkspacePool>(database_)) {}

Status EngineImpl::start(bool with_maintenance_thread) {
  RESTITCH_CHECK(change_log_.load());
  RESTITCH_CHECK(idents_.load(*database_));
  publisher_.publish(std::make_shared<const Snapshot>(database_, last_committed()));
  queue_ = std::make_unique<CommitQueue>(
      CommitQueue::Parts{database_, writer_, change_log_, clock_, idents_, publisher_});
  reclaimer_ = std::make_unique<Reclaimer>(*database_, *queue_, writer_);
  RESTITCH_CHECK(reclaimer_->load());
  maintenance_ = std::make_unique<Maintenance>(
      Maintenance::Parts{*queue_, writer_, change_log_, clock_, *reclaimer_});
  if (with_maintenance_thread) maintenance_->start();
  return {};
}

EngineImpl::~EngineImpl() {
  if (Status closed = close(); !closed) {
    log::write(log::Severity::kError, log::Component::kStorage, 3108,
               "Storage did not close cleanly", {{"error", closed.error().message()}});
  }
}

std::unique_ptr<Transaction> EngineImpl::begin(Transaction::Mode mode) {
  return std::make_unique<TransactionImpl>(workspaces_, mode, last_committed());
}

void EngineImpl::commit(std::unique_ptr<Transaction> transaction, Durability durability,
                        CommitCallback done) {
  queue_->push(
      std::unique_ptr<TransactionImpl>(static_cast<TransactionImpl*>(transaction.release())),
      durability, std::move(done));
}

Result<std::vector<std::pair<std::string, bson::Document>>> EngineImpl::catalog_rows() const {
  std::vector<std::pair<std::string, bson::Document>> rows;
  const std::unique_ptr<rocksdb::Iterator> iterator(database_->db()->NewIterator(
      database_->newest(), database_->family(Family::kCatalog)));
  for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
    if (!is_document(iterator->value().ToStringView()))
      return Error(ErrorCode::kCorrupt, "the catalog is damaged");
    rows.emplace_back(iterator->key().ToString(),
                      bson::Document::from_bytes(iterator->value().ToString()));
  }
  RESTITCH_CHECK(checked(iterator->status()));
  return rows;
}

void EngineImpl::reclaim_collection(CollectionId collection) {
  reclaimer_->begin(Family::kRecords, collection);
}
void EngineImpl::reclaim_index(IndexId index) { reclaimer_->begin(Family::kIndexes, index); }

Result<std::vector<CollectionId>> EngineImpl::stored_collections() const {
  return idents_in(Family::kRecords);
}
Result<std::vector<IndexId>> EngineImpl::stored_indexes() const {
  return idents_in(Family::kIndexes);
}

// One seek an ident.
Result<std::vector<std::uint32_t>> EngineImpl::idents_in(Family family) const {
  rocksdb::ReadOptions options = database_->newest();
  options.total_order_seek = true;
  const std::unique_ptr<rocksdb::Iterator> iterator(
      database_->db()->NewIterator(options, database_->family(family)));
  std::vector<std::uint32_t> idents;
  for (iterator->SeekToFirst(); iterator->Valid();) {
    idents.push_back(keys::load_be32(iterator->key().data()));
    iterator->Seek(keys::ident_end(idents.back()));
  }
  RESTITCH_CHECK(checked(iterator->status()));
  return idents;
}

Result<std::vector<ChangeLogEntry>> EngineImpl::changes_after(bson::Timestamp after,
                                                              std::uint32_t index,
                                                              std::size_t limit) const {
  const std::shared_ptr<const Snapshot> snapshot = publisher_.current();
  RESTITCH_TRY(std::vector<ChangeLogEntry> entries,
               change_log_.read(*snapshot, {keys::ticks_of(after), index}, limit));
  // Nobody is shown a change that a power failure could take back.
  if (!entries.empty())
    RESTITCH_CHECK(writer_.make_durable(keys::ticks_of(entries.back().cluster_time)));
  return entries;
}

void EngineImpl::set_commit_listener(std::function<void(bson::Timestamp)> listener) {
  queue_->set_listener(std::move(listener));
}

Status EngineImpl::checkpoint(const std::string& directory) const {
  rocksdb::Checkpoint* created = nullptr;
  RESTITCH_CHECK(checked(rocksdb::Checkpoint::Create(database_->db(), &created)));
  const std::unique_ptr<rocksdb::Checkpoint> copier(created);
  RESTITCH_CHECK(checked(copier->CreateCheckpoint(directory)));
  return write_format_file(directory);
}

EngineStatistics EngineImpl::statistics() const {
  EngineStatistics result;
  result.commits = queue_->commits();
  result.commit_groups = queue_->groups();
  result.syncs = writer_.syncs();
  result.bytes_on_disk = database_->bytes_on_disk();
  return result;
}

Status EngineImpl::close() {
  if (is_closed_) return {};
  is_closed_ = true;
  if (maintenance_ != nullptr) maintenance_->stop();
  if (queue_ != nullptr) queue_->stop();
  Status synced = writer_.sync();
  rocksdb::Status flushed;
  if (synced && !writer_.has_failed()) {
    flushed = database_->flush_all();
  }
  maintenance_.reset();
  reclaimer_.reset();
  queue_.reset();
  publisher_.publish(nullptr);
  workspaces_->clear();
  workspaces_.reset();
  if (database_.use_count() > 1) {
    log::write(log::Severity::kWarning, log::Component::kStorage, 3109,
               "Storage stays open for its last readers");
  }
  database_.reset();
  if (!synced) return synced;
  return checked(flushed);
}

}  // namespace restitch::storage
