#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "datasource/mongodb/driver.h"

namespace restitch::datasource::mongodb {

// What several commands share on one client: an open cursor with its session and server, or a
// transaction.
struct Conversation {
  Conversation(Lease leased, SessionPtr opened)
      : client(std::move(leased)), session(std::move(opened)) {}

  Lease client;
  SessionPtr session;           // of `client`, so it goes first; null where there are none
  std::uint32_t server_id = 0;  // of a cursor; 0: any
};
using ConversationPtr = std::unique_ptr<Conversation>;

// Conversations between their commands. A command takes its conversation and puts it back, so no
// two use one at a time. Those left alone for longer than `idle_limit` are ended when the next one
// is put. Thread-safe.
template <typename Key>
class Conversations {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Taken : std::uint8_t { kTaken, kUnknown, kInUse };

  explicit Conversations(std::chrono::seconds idle_limit) : idle_limit_(idle_limit) {}

  Taken take(const Key& key, ConversationPtr& conversation) {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(key);
    if (found == entries_.end()) return Taken::kUnknown;
    if (found->second.conversation == nullptr) return Taken::kInUse;
    conversation = std::move(found->second.conversation);
    return Taken::kTaken;
  }

  void put(const Key& key, ConversationPtr conversation) {
    std::vector<ConversationPtr> ended;  // destroyed after the lock: that may talk to the server
    const std::lock_guard lock(mutex_);
    entries_[key] = Entry{std::move(conversation), Clock::now()};
    for (auto entry = entries_.begin(); entry != entries_.end();) {
      const bool is_idle =
          entry->second.conversation != nullptr && Clock::now() - entry->second.since > idle_limit_;
      if (!is_idle) {
        ++entry;
        continue;
      }
      ended.push_back(std::move(entry->second.conversation));
      entry = entries_.erase(entry);
    }
  }

  // Forgets a conversation that was taken.
  void forget(const Key& key) {
    const std::lock_guard lock(mutex_);
    entries_.erase(key);
  }

  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }

  void clear() {
    std::map<Key, Entry> ended;
    const std::lock_guard lock(mutex_);
    ended.swap(entries_);
  }

 private:
  struct Entry {
    ConversationPtr conversation;  // null: taken
    Clock::time_point since;
  };

  std::chrono::seconds idle_limit_;
  mutable std::mutex mutex_;
  std::map<Key, Entry> entries_;
};

}  // namespace restitch::datasource::mongodb
