#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// One thread for what happens by itself: time limits of cursors and transactions, counters to the
// disk, expiry of documents by TTL indexes.
class Maintenance {
 public:
  Maintenance(Services& services, std::chrono::seconds expiry_interval);
  ~Maintenance() { stop(); }
  Maintenance(const Maintenance&) = delete;
  Maintenance& operator=(const Maintenance&) = delete;

  void stop();

 private:
  void run();
  // Ends transactions whose time is over.
  void end_transactions(std::chrono::steady_clock::time_point now);

  Services& services_;
  std::chrono::seconds expiry_interval_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool is_stopping_ = false;
  std::thread thread_;
};

// Deletes the documents that TTL indexes have expired by `now`. Returns how many.
std::int64_t delete_expired(Services& services, bson::Date now);

}  // namespace restitch::datasource::embedded
