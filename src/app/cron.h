#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace restitch::app {

// What is wrong with a schedule of five fields (minute, hour, day of month, month, weekday), or "".
std::string problem_of_schedule(std::string_view schedule);

// The times of a schedule, in UTC (spec: functions §11.4): minutes in which all five fields match.
class Schedule {
 public:
  // Nothing when problem_of_schedule() finds one.
  static std::optional<Schedule> parse(std::string_view schedule);

  // The first time after `after`; both in minutes since 1970. Nothing when there is none within 28
  // years, after which the calendar repeats.
  std::optional<std::int64_t> next_after(std::int64_t after) const;

 private:
  std::bitset<60> minutes_, hours_, days_, months_, weekdays_;  // by value
};

}  // namespace restitch::app
