#include "query/expression/calendar.h"

#include <algorithm>
#include <iterator>
#include <string>

namespace restitch::query {

std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
  year += floor_div(month - 1, 12);
  month = floor_mod(month - 1, 12) + 1;
  // Years counted from March, so that the leap day is the last of its year; eras of 400 years.
  const std::int64_t shifted_year = year - (month <= 2 ? 1 : 0);
  const std::int64_t era = floor_div(shifted_year, 400);
  const std::int64_t year_of_era = shifted_year - era * 400;
  const std::int64_t shifted_month = month + (month > 2 ? -3 : 9);
  const std::int64_t day_of_shifted_year = (153 * shifted_month + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_shifted_year;
  constexpr std::int64_t kDaysPerEra = 146097;
  constexpr std::int64_t kEpochShift = 719468;
  return era * kDaysPerEra + day_of_era - kEpochShift;
}

CalendarTime calendar_time(std::int64_t millis) {
  constexpr std::int64_t kDaysPerEra = 146097;
  constexpr std::int64_t kEpochShift = 719468;
  const std::int64_t days = floor_div(millis, kMillisPerDay) + kEpochShift;
  const std::int64_t rest = floor_mod(millis, kMillisPerDay);
  const std::int64_t era = floor_div(days, kDaysPerEra);
  const std::int64_t day_of_era = days - era * kDaysPerEra;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_shifted_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_shifted_year + 2) / 153;
  CalendarTime out;
  out.day = day_of_shifted_year - (153 * shifted_month + 2) / 5 + 1;
  out.month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  out.year = year_of_era + era * 400 + (out.month <= 2 ? 1 : 0);
  out.hour = rest / kMillisPerHour;
  out.minute = rest / kMillisPerMinute % 60;
  out.second = rest / kMillisPerSecond % 60;
  out.millis = rest % kMillisPerSecond;
  return out;
}

std::int64_t millis_from(const CalendarTime& time) {
  return days_from_civil(time.year, time.month, time.day) * kMillisPerDay +
         time.hour * kMillisPerHour + time.minute * kMillisPerMinute +
         time.second * kMillisPerSecond + time.millis;
}

int days_in_month(std::int64_t year, std::int64_t month) {
  return static_cast<int>(days_from_civil(year, month + 1, 1) - days_from_civil(year, month, 1));
}

int day_of_week(std::int64_t days) {
  constexpr std::int64_t kEpochDay = 4;  // 1970-01-01 was a Thursday
  return static_cast<int>(floor_mod(days + kEpochDay, 7));
}

int iso_day_of_week(std::int64_t days) {
  const int day = day_of_week(days);
  return day == 0 ? 7 : day;
}

std::int64_t day_of_year(std::int64_t days) {
  return days - days_from_civil(calendar_time(days * kMillisPerDay).year, 1, 1) + 1;
}

IsoWeek iso_week(std::int64_t days) {
  // A week belongs to the year of its Thursday.
  const std::int64_t thursday = days + 4 - iso_day_of_week(days);
  const std::int64_t year = calendar_time(thursday * kMillisPerDay).year;
  return {year, (thursday - days_from_civil(year, 1, 1)) / 7 + 1};
}

std::int64_t week_of_year(std::int64_t days) {
  return (day_of_year(days) + 6 - day_of_week(days)) / 7;
}

std::int64_t days_from_iso_week(std::int64_t year, std::int64_t week, std::int64_t day) {
  const std::int64_t fourth = days_from_civil(year, 1, 4);
  return fourth - iso_day_of_week(fourth) + (week - 1) * 7 + day;
}

std::optional<TimeUnit> parse_time_unit(std::string_view name) {
  constexpr std::string_view kNames[] = {"year", "quarter", "month",  "week",       "day",
                                         "hour", "minute",  "second", "millisecond"};
  const auto* found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) return std::nullopt;
  return static_cast<TimeUnit>(found - std::begin(kNames));
}

std::optional<int> parse_day_of_week(std::string_view name) {
  constexpr std::string_view kNames[] = {"sunday",   "monday", "tuesday", "wednesday",
                                         "thursday", "friday", "saturday"};
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (int day = 0; day < 7; ++day) {
    if (lower == kNames[day] || lower == kNames[day].substr(0, 3)) return day;
  }
  return std::nullopt;
}

}  // namespace restitch::query
