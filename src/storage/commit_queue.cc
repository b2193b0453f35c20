#include "storage/commit_queue.h"

#include <pthread.h>

#include <future>

#include "base/assert.h"
#include "base/kill_point.h"
#include "base/log.h"
#include "storage/rocks_status.h"

namespace restitch::storage {
namespace {

constexpr std::size_t kMaxGroupItems = 4096;
constexpr std::size_t kMaxGroupBytes = 8U << 20U;
constexpr std::size_t kMaxWaitingItems = 65536;
constexpr std::size_t kMaxWaitingBytes = 1ULL << 30U;
// mongod's default journal interval.
constexpr auto kSyncInterval = std::chrono::milliseconds(100);

// Copies the records of one batch to the end of another.
class BatchAppender final : public rocksdb::WriteBatch::Handler {
 public:
  BatchAppender(const Database& database, rocksdb::WriteBatch& target)
      : database_(database), target_(target) {}

  rocksdb::Status PutCF(std::uint32_t family, const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    return target_.Put(database_.family_of_number(family), key, value);
  }
  rocksdb::Status DeleteCF(std::uint32_t family, const rocksdb::Slice& key) override {
    return target_.Delete(database_.family_of_number(family), key);
  }
  rocksdb::Status DeleteRangeCF(std::uint32_t family, const rocksdb::Slice& begin,
                                const rocksdb::Slice& end) override {
    return target_.DeleteRange(database_.family_of_number(family), begin, end);
  }

 private:
  const Database& database_;
  rocksdb::WriteBatch& target_;
};

}  // namespace

CommitQueue::CommitQueue(Parts parts) : parts_(std::move(parts)), thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), "storage-commit");
}

void CommitQueue::push(std::unique_ptr<TransactionImpl> transaction, Durability durability,
                       Engine::CommitCallback done) {
  Item item;
  item.bytes = transaction->write_bytes();
  item.transaction = std::move(transaction);
  item.durability = durability;
  item.done = std::move(done);
  enqueue(std::move(item));
}

void CommitQueue::push_internal(std::unique_ptr<rocksdb::WriteBatch> batch,
                                std::function<void(Status)> done) {
  Item item;
  item.bytes = batch->GetDataSize();
  item.internal = std::move(batch);
  item.internal_done = std::move(done);
  enqueue(std::move(item));
}

Status CommitQueue::write_internal(std::unique_ptr<rocksdb::WriteBatch> batch) {
  RESTITCH_DASSERT(std::this_thread::get_id() != thread_.get_id());
  std::promise<Status> promise;
  push_internal(std::move(batch),
                [&promise](Status status) { promise.set_value(std::move(status)); });
  return promise.get_future().get();
}

void CommitQueue::enqueue(Item item) {
  std::unique_ptr<TransactionImpl> refused;  // rolled back outside the lock
  bool must_wake = false;
  {
    std::unique_lock lock(mutex_);
    if (ended_) {
      lock.unlock();
      item.transaction.reset();
      return answer(item, Error(ErrorCode::kClosing, "the storage is closed"));
    }
    if (stopping_) {
      item.refusal = Error(ErrorCode::kClosing, "the storage is closing");
    } else if (waiting_.size() >= kMaxWaitingItems ||
               waiting_bytes_ + item.bytes > kMaxWaitingBytes) {
      item.refusal = Error(ErrorCode::kTooManyRequests, "too many writes are waiting for the disk");
    }
    if (item.refusal) {
      refused = std::move(item.transaction);
      item.internal.reset();
      item.bytes = 0;
    }
    waiting_bytes_ += item.bytes;
    waiting_.push_back(std::move(item));
    must_wake = is_idle_;
  }
  if (must_wake) wake_.notify_one();
}

void CommitQueue::run() {
  log::set_thread_context("storage-commit");
  std::vector<Item> group;
  while (wait_for_group(group)) {
    if (!group.empty()) process(group);
    group.clear();
    if (std::chrono::steady_clock::now() >= sync_deadline_) {
      (void)parts_.writer.sync();  // a failure is remembered there
      sync_deadline_ = std::chrono::steady_clock::time_point::max();
    }
  }
}

// False when the queue is stopped and empty. The group is empty when only a sync is due.
bool CommitQueue::wait_for_group(std::vector<Item>& group) {
  std::unique_lock lock(mutex_);
  const auto has_work = [this] { return !waiting_.empty() || stopping_; };
  is_idle_ = true;
  if (sync_deadline_ == std::chrono::steady_clock::time_point::max()) {
    wake_.wait(lock, has_work);
  } else {
    wake_.wait_until(lock, sync_deadline_, has_work);
  }
  is_idle_ = false;
  if (waiting_.empty()) {
    ended_ = stopping_;
    return !stopping_;
  }
  take_group(group);
  return true;
}

void CommitQueue::take_group(std::vector<Item>& group) {
  std::size_t bytes = 0;
  while (!waiting_.empty() && group.size() < kMaxGroupItems &&
         (bytes == 0 || bytes < kMaxGroupBytes)) {
    bytes += waiting_.front().bytes;
    waiting_bytes_ -= waiting_.front().bytes;
    group.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
}

void CommitQueue::process(std::vector<Item>& group) {
  keys::Ticks last = 0;
  kill_point::reach("commit.taken");
  Status written = write(group, last);
  kill_point::reach("commit.written");
  if (written) {
    const keys::Ticks visible = last != 0 ? last : parts_.clock.visible();
    parts_.publisher.publish(
        std::make_shared<const Snapshot>(parts_.database, keys::time_of(visible)));
    parts_.clock.set_visible(visible);
  }
  // Locks go only after the writes are visible, and before anybody is told.
  for (Item& item : group) {
    if (item.transaction != nullptr) item.transaction->finish();
  }
  const bool has_commits = written.has_value() && last != 0;
  if (has_commits) groups_.fetch_add(1, std::memory_order_relaxed);
  kill_point::reach("commit.published");
  acknowledge(group, written);
  kill_point::reach("commit.acknowledged");
  if (!has_commits) return;
  const std::lock_guard lock(listener_mutex_);
  if (listener_) listener_(keys::time_of(last));
}

// The engine's own writes and drops go on: they free space.
void CommitQueue::refuse_without_space(std::vector<Item>& group) {
  std::size_t bytes = 0;
  for (const Item& item : group) bytes += item.bytes;
  if (parts_.writer.has_space(bytes)) return;
  for (Item& item : group) {
    if (item.transaction == nullptr || item.transaction->frees_space()) continue;
    item.refusal = out_of_disk_space();
  }
}

// Makes one batch of the group and writes it. `last` is the time of its last commit.
Status CommitQueue::write(std::vector<Item>& group, keys::Ticks& last) {
  const Database& database = *parts_.database;
  refuse_without_space(group);
  rocksdb::WriteBatch* batch = nullptr;
  bool sync = std::chrono::steady_clock::now() >= sync_deadline_;
  bool last_has_changes = true;
  for (Item& item : group) {
    if (item.refusal) continue;
    rocksdb::WriteBatch& own =
        item.internal != nullptr ? *item.internal : item.transaction->batch();
    if (batch == nullptr) {
      batch = &own;
    } else {
      BatchAppender appender(database, *batch);
      RESTITCH_ASSERT(own.Iterate(&appender).ok());
    }
    sync = sync || item.internal != nullptr || item.durability == Durability::kJournaled;
    if (item.transaction == nullptr) continue;
    item.ticks = last = parts_.clock.next();
    for (const std::uint64_t hash : item.transaction->written_hashes()) {
      database.document_cache().note_write(hash, item.ticks);
    }
    parts_.change_log.stage(*batch, item.ticks, item.transaction->changes());
    last_has_changes = !item.transaction->changes().empty();
  }
  if (batch == nullptr) return {};
  if (!last_has_changes) {
    char value[8];
    keys::store_be64(value, last);
    (void)batch->Put(database.family(Family::kMeta), keys::kClockRow,
                     rocksdb::Slice(value, sizeof(value)));
  }
  parts_.change_log.end_group(*batch);
  parts_.idents.stage(*batch, database);
  Status written = parts_.writer.write(*batch, sync, last != 0 ? last : parts_.clock.visible());
  parts_.change_log.written(written.has_value());
  if (!written) return written;
  parts_.idents.written();
  if (sync) {
    sync_deadline_ = std::chrono::steady_clock::time_point::max();
  } else if (sync_deadline_ == std::chrono::steady_clock::time_point::max()) {
    sync_deadline_ = std::chrono::steady_clock::now() + kSyncInterval;
  }
  return written;
}

void CommitQueue::acknowledge(std::vector<Item>& group, Status& written) {
  for (Item& item : group) {
    if (item.refusal) {
      answer(item, *item.refusal);
    } else if (!written) {
      answer(item, written.error());
    } else if (item.internal_done) {
      item.internal_done(Status());
    } else {
      commits_.fetch_add(1, std::memory_order_relaxed);
      item.done(Committed{keys::time_of(item.ticks)});
    }
  }
}

void CommitQueue::answer(Item& item, const Error& failure) {
  if (item.internal_done) {
    item.internal_done(failure);
  } else {
    item.done(failure);
  }
}

void CommitQueue::set_listener(std::function<void(bson::Timestamp)> listener) {
  const std::lock_guard lock(listener_mutex_);
  listener_ = std::move(listener);
}

void CommitQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace restitch::storage
