#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "storage/key_layout.h"

namespace restitch::storage {

// Gives out cluster times: seconds of the wall clock with a counter, always above every earlier
// one, also when the wall clock goes back.
class ClusterClock {
 public:
  using Seconds = std::function<std::uint32_t()>;

  ClusterClock(Seconds wall, keys::Ticks last)
      : wall_(std::move(wall)), last_(last), visible_(last) {}

  // Commit thread only.
  keys::Ticks next() {
    const keys::Ticks now = (static_cast<keys::Ticks>(wall_()) << 32U) | 1U;
    last_ = std::max({last_ + 1, now, floor_.load(std::memory_order_relaxed) + 1});
    if (static_cast<std::uint32_t>(last_) == 0) ++last_;
    return last_;
  }
  // Later times are above `seen`.
  void advance(keys::Ticks seen) {
    keys::Ticks floor = floor_.load(std::memory_order_relaxed);
    while (floor < seen && !floor_.compare_exchange_weak(floor, seen, std::memory_order_relaxed)) {
    }
  }

  // The time of the newest commit that readers see.
  keys::Ticks visible() const { return visible_.load(std::memory_order_acquire); }
  void set_visible(keys::Ticks ticks) { visible_.store(ticks, std::memory_order_release); }
  std::uint32_t wall_seconds() const { return wall_(); }

 private:
  Seconds wall_;
  keys::Ticks last_;
  std::atomic<keys::Ticks> floor_{0};
  std::atomic<keys::Ticks> visible_;
};

}  // namespace restitch::storage
