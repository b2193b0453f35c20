#include "deployment/log_rate.h"

#include <algorithm>
#include <utility>

namespace restitch::deployment {

bool LogRate::admits(const bson::ObjectId& app, std::string_view type, Clock::time_point now) {
  if (per_second_ == 0) return true;
  const double most = 2 * per_second_;
  const std::lock_guard lock(mutex_);
  const auto [found, is_new] = budgets_.try_emplace(app, Budget{most, now, {}});
  Budget& budget = found->second;
  const std::chrono::duration<double> since = now - budget.filled_at;
  budget.entries = std::min(most, budget.entries + std::max(0.0, since.count()) * per_second_);
  budget.filled_at = std::max(budget.filled_at, now);
  if (budget.entries < 1) {
    ++budget.left_out.try_emplace(std::string(type)).first->second;
    return false;
  }
  budget.entries -= 1;
  return true;
}

std::int64_t LogRate::take_left_out(const bson::ObjectId& app, std::string_view type) {
  if (per_second_ == 0) return 0;
  const std::lock_guard lock(mutex_);
  const auto found = budgets_.find(app);
  if (found == budgets_.end()) return 0;
  const auto counted = found->second.left_out.find(type);
  return counted == found->second.left_out.end() ? 0 : std::exchange(counted->second, 0);
}

}  // namespace restitch::deployment
