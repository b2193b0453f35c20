#include "auth/attempt_table.h"

#include <algorithm>
#include <cstring>

#include "auth/crypto.h"

namespace restitch::auth {

AttemptTable::AttemptTable(std::size_t capacity)
    : secret_(random_bytes(32)), sets_(std::max<std::size_t>(1, capacity / kWays)) {}

std::uint64_t AttemptTable::hash_of(std::string_view key) const {
  const std::string digest = hmac_sha256(secret_, key);
  std::uint64_t hash;
  std::memcpy(&hash, digest.data(), sizeof(hash));
  return hash == 0 ? 1 : hash;
}

std::chrono::nanoseconds AttemptTable::take(std::string_view key, AttemptRate rate,
                                            Clock::time_point now) {
  if (rate.count <= 0) return {};
  const std::chrono::nanoseconds span = std::chrono::seconds(rate.seconds);
  const std::chrono::nanoseconds each = span / rate.count;
  const std::uint64_t hash = hash_of(key);
  const std::size_t index = hash % sets_.size();
  const std::lock_guard lock(locks_[index % kLocks]);
  Set& set = sets_[index];
  auto slot = std::find_if(set.begin(), set.end(), [hash](const Slot& s) { return s.key == hash; });
  if (slot == set.end()) {
    slot = std::min_element(set.begin(), set.end(),
                            [](const Slot& a, const Slot& b) { return a.clear_at < b.clear_at; });
    *slot = Slot{hash, now};
  }
  const Clock::time_point clear_at = std::max(slot->clear_at, now) + each;
  if (clear_at - now > span) return clear_at - now - span;
  slot->clear_at = clear_at;
  return {};
}

void AttemptTable::give_back(std::string_view key, AttemptRate rate) {
  if (rate.count <= 0) return;
  const std::uint64_t hash = hash_of(key);
  const std::size_t index = hash % sets_.size();
  const std::lock_guard lock(locks_[index % kLocks]);
  for (Slot& slot : sets_[index]) {
    if (slot.key == hash)
      slot.clear_at -= std::chrono::nanoseconds(std::chrono::seconds(rate.seconds)) / rate.count;
  }
}

}  // namespace restitch::auth
