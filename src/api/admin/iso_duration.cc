#include "api/admin/iso_duration.h"

#include <cstdint>

namespace restitch::api::admin {
namespace {

constexpr std::int64_t kMinute = 60, kHour = 3600, kDay = 24 * kHour, kWeek = 7 * kDay;
constexpr std::int64_t kLongest = 3653 * kDay;

// How many seconds the unit has behind which only shorter ones may follow; 0 = none of that part.
std::int64_t seconds_of(char unit, bool is_time) {
  if (is_time) return unit == 'H' ? kHour : unit == 'M' ? kMinute : unit == 'S' ? 1 : 0;
  return unit == 'W' ? kWeek : unit == 'D' ? kDay : 0;
}

}  // namespace

std::optional<std::chrono::seconds> parse_iso_duration(std::string_view text) {
  if (!text.starts_with('P')) return std::nullopt;
  text.remove_prefix(1);
  std::int64_t total = 0;
  std::int64_t last_unit = kWeek + 1;
  bool is_time = false;
  while (!text.empty()) {
    if (text.front() == 'T' && !is_time) {
      is_time = true;
      text.remove_prefix(1);
    }
    std::int64_t count = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
      count = count * 10 + (text[digits] - '0');
      if (count > kLongest) return std::nullopt;
    }
    if (digits == 0 || digits == text.size()) return std::nullopt;
    const std::int64_t unit = seconds_of(text[digits], is_time);
    if (unit == 0 || unit >= last_unit) return std::nullopt;
    last_unit = unit;
    total += count * unit;
    if (total > kLongest) return std::nullopt;
    text.remove_prefix(digits + 1);
  }
  return total > 0 ? std::optional(std::chrono::seconds(total)) : std::nullopt;
}

}  // namespace restitch::api::admin
