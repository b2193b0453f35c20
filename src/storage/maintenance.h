#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "storage/change_log.h"
#include "storage/cluster_clock.h"
#include "storage/commit_queue.h"
#include "storage/log_writer.h"
#include "storage/reclaim.h"

namespace restitch::storage {

// One background thread that makes the database writable again after a disk error, trims the change
// log and reclaims dropped data.
class Maintenance {
 public:
  struct Parts {
    CommitQueue& queue;
    LogWriter& writer;
    ChangeLog& change_log;
    ClusterClock& clock;
    Reclaimer& reclaimer;
  };

  explicit Maintenance(Parts parts);
  ~Maintenance() { stop(); }
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  void start();
  void stop();
  // One round, as the thread does it.
  void run_once();

 private:
  void run();
  void trim();

  Parts parts_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::atomic<bool> cancelled_{false};
  std::mutex round_mutex_;
  std::thread thread_;
};

}  // namespace restitch::storage
