#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "datasource/embedded/change_stream/log_entry.h"
#include "datasource/embedded/change_stream/wakeup.h"

namespace restitch::datasource::embedded {

// The one reader of the change log's end for all streams of a cluster. While streams are open it
// reads every commit once, as soon as it is synced, keeps the newest entries in memory (bounded in
// bytes), and wakes exactly the streams that a change concerns. A stream that is further behind
// reads the log by itself until it has caught up. Thread-safe.
class LogFollower {
 public:
  explicit LogFollower(storage::Engine& engine);
  ~LogFollower() { stop(); }
  LogFollower(const LogFollower&) = delete;
  LogFollower& operator=(const LogFollower&) = delete;

  // Stops reading and wakes everybody. Before the engine is closed.
  void stop();

  // Held by every open stream: makes the follower follow.
  class Interest {
   public:
    explicit Interest(LogFollower& follower);
    ~Interest();
    Interest(const Interest&) = delete;
    Interest& operator=(const Interest&) = delete;

   private:
    LogFollower& follower_;
  };

  struct Batch {
    std::vector<LogEntryPtr> entries;  // those of the scope, in order
    LogPosition scanned;               // everything up to here has been looked at
    bool is_at_end = false;            // the log had nothing behind `scanned`
  };
  // Whether commits have been acknowledged that it has not read yet; catch_up() reads them now, and
  // waits for the disk.
  bool is_behind() const;
  void catch_up();
  // Changes strictly behind `after` from memory; nothing when they are not all there.
  std::optional<Batch> recent(const StreamScope& scope, LogPosition after, std::size_t limit);
  // The same from the log. Waits for the disk. Error 286 when some are trimmed already.
  Result<Batch> stored(const StreamScope& scope, LogPosition after, std::size_t limit) const;

  // Has `wakeup` woken by the next change of the scope behind `after`. False when there is one
  // already, or when that is not known: then look again instead of waiting.
  bool subscribe(const StreamScope& scope, LogPosition after, const WakeupPtr& wakeup);
  void unsubscribe(const StreamScope& scope, const WakeupPtr& wakeup);

  std::size_t open_streams() const { return interests_.load(std::memory_order_relaxed); }

 private:
  // What a change concerns, by name: "db.coll", "db." (all collections), "db" and "".
  using Key = std::string;
  static Key key_of(const StreamScope& scope);
  static void add_keys(const LogEntry& entry, std::vector<Key>& keys);

  void run();
  void begin_following();
  void stop_following();
  void nudge();
  bool has_touched(const StreamScope& scope, LogPosition after) const;
  void give_up(bson::Timestamp newest, const Error& error);
  void append(std::vector<storage::ChangeLogEntry> entries);
  void evict();
  void wake_all();
  void wake_subscribers(const LogEntry& entry);
  void on_commit();

  storage::Engine& engine_;
  std::atomic<std::size_t> interests_{0};

  std::mutex read_mutex_;  // held by whoever reads; before mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool is_stopping_ = false;
  bool is_following_ = false;
  bool has_news_ = false;
  LogPosition start_;    // entries_ holds every change behind this …
  LogPosition scanned_;  // … up to this
  std::deque<LogEntryPtr> entries_;
  std::size_t bytes_ = 0;
  std::unordered_map<Key, LogPosition> touched_;  // last entry of a scope among entries_
  std::unordered_map<Key, std::unordered_set<WakeupPtr>> subscribers_;
  std::thread thread_;
};

}  // namespace restitch::datasource::embedded
