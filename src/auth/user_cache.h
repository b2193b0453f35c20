#pragma once

#include <array>
#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "auth/user.h"

namespace restitch::auth {

// A user as requests need one, with the derived documents made once.
struct CachedUser {
  UserRecord record;
  bson::Document data;         // merged
  bson::Document identities;   // array
};
using CachedUserPtr = std::shared_ptr<const CachedUser>;

// Bounded cache of users, least recently used out first. An entry is trusted for a short time only, so that a change
// made by another node is seen soon; changes of this node are forgotten at once. Thread-safe.
class UserCache {
 public:
  explicit UserCache(std::size_t capacity, std::chrono::milliseconds trust = std::chrono::seconds(5));

  CachedUserPtr find(const bson::ObjectId& user_id);
  CachedUserPtr put(UserRecord record);
  void forget(const bson::ObjectId& user_id);

 private:
  struct Entry {
    bson::ObjectId id;
    CachedUserPtr user;
    std::chrono::steady_clock::time_point read_at;
  };
  struct IdHash {
    std::size_t operator()(const bson::ObjectId& id) const;
  };
  struct Shard {
    std::mutex mutex;
    std::list<Entry> by_use;   // most recent first
    std::unordered_map<bson::ObjectId, std::list<Entry>::iterator, IdHash> by_id;
  };

  Shard& shard_of(const bson::ObjectId& id) { return shards_[IdHash()(id) % shards_.size()]; }

  std::array<Shard, 16> shards_;
  std::size_t capacity_per_shard_;
  std::chrono::milliseconds trust_;
};

}  // namespace restitch::auth
