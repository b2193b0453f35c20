#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "bson/document.h"

namespace restitch::deployment {

// How many entries that only tell of a success an app may have: an entry costs about as much as the
// write that it tells of, and a busy app would fill the disk with them. So many a second, in bursts
// of twice as many; those left out are counted. Thread-safe.
class LogRate {
 public:
  using Clock = std::chrono::steady_clock;

  // 0: no limit.
  explicit LogRate(std::int64_t per_second) : per_second_(static_cast<double>(per_second)) {}

  // Whether the app may have one more entry. If not, it counts as left out of its type.
  bool admits(const bson::ObjectId& app, std::string_view type, Clock::time_point now);
  // How many of the type were left out since the last call of this.
  std::int64_t take_left_out(const bson::ObjectId& app, std::string_view type);

 private:
  struct Budget {
    double entries = 0;
    Clock::time_point filled_at;
    std::map<std::string, std::int64_t, std::less<>> left_out;  // by type
  };

  const double per_second_;
  std::mutex mutex_;
  std::map<bson::ObjectId, Budget> budgets_;  // of apps that this server has: few
};

}  // namespace restitch::deployment
