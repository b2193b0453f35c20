#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace restitch::auth {

// At most `count` times at once and `count` times in `seconds` from then on. A count of 0 is no
// limit.
struct AttemptRate {
  std::int32_t count = 0;
  std::int32_t seconds = 0;
};

// How often something was attempted under each of many keys. Holds a fixed number of keys, however
// many come: a new one takes the place of the one whose attempts are longest over. Thread-safe.
class AttemptTable {
 public:
  using Clock = std::chrono::steady_clock;

  explicit AttemptTable(std::size_t capacity);

  // Counts an attempt. When there were too many it is not counted, and the answer is how long the
  // next one has to wait; else zero.
  std::chrono::nanoseconds take(std::string_view key, AttemptRate rate, Clock::time_point now);
  // Undoes one that was counted.
  void give_back(std::string_view key, AttemptRate rate);

 private:
  static constexpr std::size_t kWays = 8;
  static constexpr std::size_t kLocks = 64;

  // When the attempts so far will all be forgotten, at the rate of the key.
  struct Slot {
    std::uint64_t key = 0;  // keyed hash; 0 = free
    Clock::time_point clear_at{};
  };
  using Set = std::array<Slot, kWays>;

  std::uint64_t hash_of(std::string_view key) const;

  const std::string secret_;  // so that nobody can choose keys that fall together
  std::vector<Set> sets_;
  std::array<std::mutex, kLocks> locks_;
};

}  // namespace restitch::auth
