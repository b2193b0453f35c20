#pragma once

#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "bson/types.h"

namespace restitch::deployment {

// Contents by version, which never change; those used least lately make room. Thread-safe.
class ContentCache {
 public:
  using Content = std::shared_ptr<const std::string>;

  explicit ContentCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  Content find(const bson::ObjectId& version) {
    const std::lock_guard lock(mutex_);
    const auto found = by_version_.find(version);
    if (found == by_version_.end()) return nullptr;
    entries_.splice(entries_.begin(), entries_, found->second);
    return found->second->content;
  }

  // A content larger than an eighth of the cache is not kept.
  void put(const bson::ObjectId& version, Content content) {
    if (content->size() > max_bytes_ / 8) return;
    const std::lock_guard lock(mutex_);
    if (by_version_.contains(version)) return;
    bytes_ += cost(*content);
    entries_.push_front({version, std::move(content)});
    by_version_[version] = entries_.begin();
    while (bytes_ > max_bytes_) {
      bytes_ -= cost(*entries_.back().content);
      by_version_.erase(entries_.back().version);
      entries_.pop_back();
    }
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    by_version_.clear();
    entries_.clear();
    bytes_ = 0;
  }

 private:
  struct Entry {
    bson::ObjectId version;
    Content content;
  };
  static constexpr std::size_t kEntryBytes = 256;
  static std::size_t cost(const std::string& content) { return content.size() + kEntryBytes; }

  const std::size_t max_bytes_;
  std::mutex mutex_;
  std::list<Entry> entries_;  // used last first
  std::map<bson::ObjectId, std::list<Entry>::iterator> by_version_;
  std::size_t bytes_ = 0;
};

}  // namespace restitch::deployment
