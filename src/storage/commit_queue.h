#pragma once

#include <rocksdb/write_batch.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/change_log.h"
#include "storage/cluster_clock.h"
#include "storage/id_allocators.h"
#include "storage/log_writer.h"
#include "storage/snapshot.h"
#include "storage/transaction.h"

namespace restitch::storage {

// One thread that commits in groups. It takes everything that waits, gives each transaction the
// next cluster time, writes data, change log and session rows of all of them as one batch with one
// sync, publishes the new snapshot, and only then acknowledges. So order of cluster times = order
// of writing = order of visibility, without holes.
class CommitQueue {
 public:
  struct Parts {
    std::shared_ptr<const Database> database;
    LogWriter& writer;
    ChangeLog& change_log;
    ClusterClock& clock;
    IdentAllocator& idents;
    Publisher& publisher;
  };

  explicit CommitQueue(Parts parts);
  ~CommitQueue() { stop(); }
  CommitQueue(const CommitQueue&) = delete;
  CommitQueue& operator=(const CommitQueue&) = delete;

  void push(std::unique_ptr<TransactionImpl> transaction, Durability durability,
            Engine::CommitCallback done);
  // A write of the engine itself, in order with the commits but without a cluster time, always
  // synced.
  void push_internal(std::unique_ptr<rocksdb::WriteBatch> batch, std::function<void(Status)> done);
  // The same, waiting for it. Not on the commit thread.
  Status write_internal(std::unique_ptr<rocksdb::WriteBatch> batch);

  void set_listener(std::function<void(bson::Timestamp)> listener);
  // Finishes what waits, then ends the thread. Later pushes are answered with kClosing.
  void stop();

  std::uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }
  std::uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }

 private:
  struct Item {
    std::unique_ptr<TransactionImpl> transaction;   // of a commit
    std::unique_ptr<rocksdb::WriteBatch> internal;  // of an engine's write
    Durability durability = Durability::kJournaled;
    Engine::CommitCallback done;
    std::function<void(Status)> internal_done;
    std::size_t bytes = 0;
    keys::Ticks ticks = 0;
    std::optional<Error> refusal;  // set: nothing is written, this is the answer
  };

  void enqueue(Item item);
  void run();
  bool wait_for_group(std::vector<Item>& group);
  void take_group(std::vector<Item>& group);
  void process(std::vector<Item>& group);
  void refuse_without_space(std::vector<Item>& group);
  Status write(std::vector<Item>& group, keys::Ticks& last);
  void acknowledge(std::vector<Item>& group, Status& written);
  static void answer(Item& item, const Error& failure);

  Parts parts_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> waiting_;
  std::size_t waiting_bytes_ = 0;
  bool is_idle_ = false;
  bool stopping_ = false;
  bool ended_ = false;  // the thread takes nothing more

  std::mutex listener_mutex_;
  std::function<void(bson::Timestamp)> listener_;
  std::atomic<std::uint64_t> commits_{0}, groups_{0};
  // When the oldest unsynced write must be synced; used by the commit thread only.
  std::chrono::steady_clock::time_point sync_deadline_ =
      std::chrono::steady_clock::time_point::max();
  std::thread thread_;
};

}  // namespace restitch::storage
