#include "datasource/embedded/change_stream/log_follower.h"

#include <pthread.h>

#include <algorithm>

#include "base/log.h"

namespace restitch::datasource::embedded {

namespace {

constexpr std::size_t kMaxBytes = 32U << 20U;
constexpr std::size_t kMaxEntries = 100'000;
constexpr std::size_t kReadBatch = 512;

// Key of what concerns every collection of a database: no collection has this name.
std::string all_collections_of(std::string_view database) { return std::string(database) + "."; }

}  // namespace

LogFollower::LogFollower(storage::Engine& engine) : engine_(engine), thread_([this] { run(); }) {
  ::pthread_setname_np(thread_.native_handle(), "change-follower");
  engine_.set_commit_listener([this](bson::Timestamp) { on_commit(); });
}

void LogFollower::stop() {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopping_) return;
    is_stopping_ = true;
    wake_all();
  }
  engine_.set_commit_listener(nullptr);
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

LogFollower::Interest::Interest(LogFollower& follower) : follower_(follower) {
  if (follower_.interests_.fetch_add(1) == 0) follower_.begin_following();
}

LogFollower::Interest::~Interest() {
  if (follower_.interests_.fetch_sub(1) == 1) follower_.nudge();
}

void LogFollower::begin_following() {
  const std::lock_guard lock(mutex_);
  if (!is_following_) {
    is_following_ = true;
    start_ = scanned_ = LogPosition::after(engine_.last_committed());
  }
  has_news_ = true;  // what was committed meanwhile
  wake_.notify_one();
}

void LogFollower::stop_following() {
  is_following_ = false;
  entries_.clear();
  touched_.clear();
  bytes_ = 0;
}

void LogFollower::nudge() {
  {
    const std::lock_guard lock(mutex_);
    has_news_ = true;
  }
  wake_.notify_one();
}

void LogFollower::on_commit() {
  if (interests_.load(std::memory_order_relaxed) > 0) nudge();
}

void LogFollower::run() {
  log::set_thread_context("change-follower");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return is_stopping_ || has_news_; });
    if (is_stopping_) return;
    has_news_ = false;
    if (interests_.load() > 0) {
      lock.unlock();
      catch_up();
      lock.lock();
    } else {
      stop_following();  // the next stream begins anew
    }
  }
}

bool LogFollower::is_behind() const {
  const std::lock_guard lock(mutex_);
  return is_following_ && scanned_ < LogPosition::after(engine_.last_committed());
}

void LogFollower::catch_up() {
  const std::lock_guard reading(read_mutex_);
  for (;;) {
    const bson::Timestamp newest = engine_.last_committed();
    LogPosition after;
    {
      const std::lock_guard lock(mutex_);
      if (is_stopping_ || !is_following_ || scanned_ >= LogPosition::after(newest)) return;
      after = scanned_;
    }
    auto read = engine_.changes_after(after.time, after.index, kReadBatch);
    const std::lock_guard lock(mutex_);
    if (!read) return give_up(newest, read.error());
    const bool is_at_end = read->size() < kReadBatch;
    append(std::move(*read));
    if (is_at_end) scanned_ = std::max(scanned_, LogPosition::after(newest));
  }
}

// Streams read the log, and meet the error, by themselves.
void LogFollower::give_up(bson::Timestamp newest, const Error& error) {
  stop_following();
  is_following_ = true;
  start_ = scanned_ = LogPosition::after(newest);
  wake_all();
  RESTITCH_LOG(kWarning, kSource, 5110, "Reading the change log failed",
               {"error", error.message()});
}

void LogFollower::append(std::vector<storage::ChangeLogEntry> entries) {
  for (storage::ChangeLogEntry& stored : entries) {
    auto entry = std::make_shared<const LogEntry>(std::move(stored));
    bytes_ += entry->bytes();
    scanned_ = entry->position;
    entries_.push_back(entry);
    std::vector<Key> keys;
    add_keys(*entry, keys);
    for (Key& key : keys) touched_[std::move(key)] = entry->position;
  }
  for (auto at = entries_.end() - static_cast<std::ptrdiff_t>(entries.size()); at != entries_.end();
       ++at) {
    wake_subscribers(**at);
  }
  evict();
}

void LogFollower::evict() {
  while (entries_.size() > 1 && (bytes_ > kMaxBytes || entries_.size() > kMaxEntries)) {
    const LogEntry& oldest = *entries_.front();
    std::vector<Key> keys;
    add_keys(oldest, keys);
    for (const Key& key : keys) {
      const auto found = touched_.find(key);
      if (found != touched_.end() && found->second == oldest.position) touched_.erase(found);
    }
    bytes_ -= oldest.bytes();
    start_ = oldest.position;
    entries_.pop_front();
  }
}

LogFollower::Key LogFollower::key_of(const StreamScope& scope) {
  if (scope.is_collection()) return scope.full();
  return scope.database;
}

void LogFollower::add_keys(const LogEntry& entry, std::vector<Key>& keys) {
  keys.emplace_back();
  keys.emplace_back(entry.database);
  if (entry.kind == ChangeKind::kDropDatabase) {
    keys.push_back(all_collections_of(entry.database));
  } else {
    keys.emplace_back(entry.ns);
  }
  if (entry.target.empty()) return;
  keys.push_back(entry.target);
  keys.push_back(entry.target.substr(0, entry.target.find('.')));
}

void LogFollower::wake_all() {
  for (const auto& [key, wakeups] : subscribers_) {
    for (const WakeupPtr& wakeup : wakeups) wakeup->wake();
  }
  subscribers_.clear();
}

void LogFollower::wake_subscribers(const LogEntry& entry) {
  if (subscribers_.empty()) return;
  const auto wake = [this](auto found) {
    for (const WakeupPtr& wakeup : found->second) wakeup->wake();
    return subscribers_.erase(found);
  };
  std::vector<Key> keys;
  add_keys(entry, keys);
  for (const Key& key : keys) {
    if (const auto found = subscribers_.find(key); found != subscribers_.end()) wake(found);
  }
  if (entry.kind != ChangeKind::kDropDatabase) return;
  // It concerns the streams of all collections of the database.
  const Key prefix = all_collections_of(entry.database);
  for (auto at = subscribers_.begin(); at != subscribers_.end();) {
    at = at->first.starts_with(prefix) ? wake(at) : std::next(at);
  }
}

// Whether an entry in memory behind `after` concerns the scope.
bool LogFollower::has_touched(const StreamScope& scope, LogPosition after) const {
  const auto is_behind = [&](const Key& key) {
    const auto last = touched_.find(key);
    return last != touched_.end() && last->second > after;
  };
  if (is_behind(key_of(scope))) return true;
  return scope.is_collection() && is_behind(all_collections_of(scope.database));
}

std::optional<LogFollower::Batch> LogFollower::recent(const StreamScope& scope, LogPosition after,
                                                      std::size_t limit) {
  const std::lock_guard lock(mutex_);
  if (!is_following_ || after < start_) return std::nullopt;
  Batch batch;
  batch.scanned = std::max(after, scanned_);
  batch.is_at_end = true;
  if (after >= scanned_) return batch;
  if (!has_touched(scope, after)) return batch;
  const auto first =
      std::partition_point(entries_.begin(), entries_.end(),
                           [&](const LogEntryPtr& entry) { return entry->position <= after; });
  for (auto at = first; at != entries_.end(); ++at) {
    if (!scope.covers(**at)) continue;
    if (batch.entries.size() == limit) {
      batch.scanned = batch.entries.back()->position;
      batch.is_at_end = false;
      break;
    }
    batch.entries.push_back(*at);
  }
  return batch;
}

Result<LogFollower::Batch> LogFollower::stored(const StreamScope& scope, LogPosition after,
                                               std::size_t limit) const {
  Batch batch;
  const bson::Timestamp newest = engine_.last_committed();
  RESTITCH_TRY(auto read, engine_.changes_after(after.time, after.index, limit));
  batch.is_at_end = read.size() < limit;
  batch.scanned = batch.is_at_end ? std::max(after, LogPosition::after(newest)) : after;
  for (storage::ChangeLogEntry& stored : read) {
    auto entry = std::make_shared<const LogEntry>(std::move(stored));
    batch.scanned = std::max(batch.scanned, entry->position);
    if (scope.covers(*entry)) batch.entries.push_back(std::move(entry));
  }
  return batch;
}

bool LogFollower::subscribe(const StreamScope& scope, LogPosition after, const WakeupPtr& wakeup) {
  const std::lock_guard lock(mutex_);
  if (is_stopping_ || !is_following_ || after < start_) return false;
  if (after < scanned_ && has_touched(scope, after)) return false;
  subscribers_[key_of(scope)].insert(wakeup);
  return true;
}

void LogFollower::unsubscribe(const StreamScope& scope, const WakeupPtr& wakeup) {
  const std::lock_guard lock(mutex_);
  const auto found = subscribers_.find(key_of(scope));
  if (found == subscribers_.end()) return;
  found->second.erase(wakeup);
  if (found->second.empty()) subscribers_.erase(found);
}

}  // namespace restitch::datasource::embedded
