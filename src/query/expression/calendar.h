#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace restitch::query {

// The proleptic Gregorian calendar over milliseconds since the Unix epoch, for every int64 date.

inline constexpr std::int64_t kMillisPerSecond = 1000;
inline constexpr std::int64_t kMillisPerMinute = 60 * kMillisPerSecond;
inline constexpr std::int64_t kMillisPerHour = 60 * kMillisPerMinute;
inline constexpr std::int64_t kMillisPerDay = 24 * kMillisPerHour;

constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0) ? 1 : 0);
}
constexpr std::int64_t floor_mod(std::int64_t a, std::int64_t b) { return a - floor_div(a, b) * b; }

struct CalendarTime {
  std::int64_t year = 1970;
  std::int64_t month = 1;  // 1 to 12
  std::int64_t day = 1;
  std::int64_t hour = 0;
  std::int64_t minute = 0;
  std::int64_t second = 0;
  std::int64_t millis = 0;
};

struct IsoWeek {
  std::int64_t year;
  std::int64_t week;  // 1 to 53
};

// Days since the epoch of a day; months beyond 1 to 12 and days beyond the month carry over.
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day);
CalendarTime calendar_time(std::int64_t millis);
std::int64_t millis_from(const CalendarTime& time);
int days_in_month(std::int64_t year, std::int64_t month);

int day_of_week(std::int64_t days);           // 0 = Sunday
int iso_day_of_week(std::int64_t days);       // 1 = Monday
std::int64_t day_of_year(std::int64_t days);  // 1 to 366
IsoWeek iso_week(std::int64_t days);
std::int64_t week_of_year(std::int64_t days);  // 0 to 53; weeks begin on Sunday
std::int64_t days_from_iso_week(std::int64_t year, std::int64_t week, std::int64_t day);

enum class TimeUnit : std::uint8_t {
  kYear,
  kQuarter,
  kMonth,
  kWeek,
  kDay,
  kHour,
  kMinute,
  kSecond,
  kMillisecond,
};
std::optional<TimeUnit> parse_time_unit(std::string_view name);
// 0 = Sunday; full names and three letters, any case.
std::optional<int> parse_day_of_week(std::string_view name);

inline constexpr std::string_view kMonthNames[] = {"January",   "February", "March",    "April",
                                                   "May",       "June",     "July",     "August",
                                                   "September", "October",  "November", "December"};

}  // namespace restitch::query
