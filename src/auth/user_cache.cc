#include "auth/user_cache.h"

#include <algorithm>
#include <cstring>

namespace restitch::auth {

UserCache::UserCache(std::size_t capacity, std::chrono::milliseconds trust)
    : capacity_per_shard_(std::max<std::size_t>(1, capacity / std::tuple_size_v<decltype(shards_)>)), trust_(trust) {}

std::size_t UserCache::IdHash::operator()(const bson::ObjectId& id) const {
  std::uint64_t tail;
  std::memcpy(&tail, id.bytes.data() + 4, 8);
  return std::hash<std::uint64_t>()(tail * 0x9E3779B97F4A7C15ULL >> 7U);
}

CachedUserPtr UserCache::find(const bson::ObjectId& user_id) {
  Shard& shard = shard_of(user_id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.by_id.find(user_id);
  if (found == shard.by_id.end()) return nullptr;
  if (std::chrono::steady_clock::now() - found->second->read_at > trust_) return nullptr;
  shard.by_use.splice(shard.by_use.begin(), shard.by_use, found->second);
  return found->second->user;
}

CachedUserPtr UserCache::put(UserRecord record) {
  auto fresh = std::make_shared<CachedUser>();
  fresh->data = record.merged_data();
  fresh->identities = record.identities_document();
  fresh->record = std::move(record);
  const bson::ObjectId id = fresh->record.id;

  Shard& shard = shard_of(id);
  const std::lock_guard lock(shard.mutex);
  if (const auto known = shard.by_id.find(id); known != shard.by_id.end()) shard.by_use.erase(known->second);
  shard.by_use.push_front({id, fresh, std::chrono::steady_clock::now()});
  shard.by_id[id] = shard.by_use.begin();
  if (shard.by_use.size() > capacity_per_shard_) {
    shard.by_id.erase(shard.by_use.back().id);
    shard.by_use.pop_back();
  }
  return fresh;
}

void UserCache::forget(const bson::ObjectId& user_id) {
  Shard& shard = shard_of(user_id);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.by_id.find(user_id);
  if (found == shard.by_id.end()) return;
  shard.by_use.erase(found->second);
  shard.by_id.erase(found);
}

}  // namespace restitch::auth
