#include <gtest/gtest.h>

#include <chrono>

#include "app/cron.h"

namespace restitch::app {
namespace {

using std::chrono::sys_days;

// Minutes since 1970 of a time in UTC.
std::int64_t at(int year, unsigned month, unsigned day, int hour, int minute) {
  const sys_days date{std::chrono::year{year} / static_cast<int>(month) / static_cast<int>(day)};
  return date.time_since_epoch().count() * 1440LL + hour * 60 + minute;
}

std::int64_t next(std::string_view schedule, std::int64_t after) {
  return Schedule::parse(schedule)->next_after(after).value_or(-1);
}

TEST(Schedule, every_minute_follows_at_once) {
  EXPECT_EQ(next("* * * * *", at(2024, 12, 31, 23, 59)), at(2025, 1, 1, 0, 0));
}

TEST(Schedule, a_step_selects_the_values_that_it_divides) {
  EXPECT_EQ(next("*/25 * * * *", at(2024, 5, 1, 10, 25)), at(2024, 5, 1, 10, 50));
  EXPECT_EQ(next("*/25 * * * *", at(2024, 5, 1, 10, 50)), at(2024, 5, 1, 11, 0));
  EXPECT_EQ(next("0 */7 * * *", at(2024, 5, 1, 14, 0)), at(2024, 5, 1, 21, 0));
  EXPECT_EQ(next("0 */7 * * *", at(2024, 5, 1, 21, 0)), at(2024, 5, 2, 0, 0));
}

TEST(Schedule, a_step_behind_a_range_counts_from_its_beginning) {
  EXPECT_EQ(next("10-50/20 * * * *", at(2024, 5, 1, 0, 10)), at(2024, 5, 1, 0, 30));
  EXPECT_EQ(next("10-50/20 * * * *", at(2024, 5, 1, 0, 50)), at(2024, 5, 1, 1, 10));
}

TEST(Schedule, day_and_weekday_must_both_match) {
  // Friday the 13th: September and December 2024.
  EXPECT_EQ(next("0 0 13 * FRI", at(2024, 1, 1, 0, 0)), at(2024, 9, 13, 0, 0));
  EXPECT_EQ(next("0 0 13 * 5", at(2024, 9, 13, 0, 0)), at(2024, 12, 13, 0, 0));
}

TEST(Schedule, names_lists_and_ranges_select_values) {
  EXPECT_EQ(next("30 6,18 * JUN-AUG MON", at(2024, 1, 1, 0, 0)), at(2024, 6, 3, 6, 30));
  EXPECT_EQ(next("30 6,18 * jun-aug mon", at(2024, 6, 3, 6, 30)), at(2024, 6, 3, 18, 30));
}

TEST(Schedule, weekday_seven_is_sunday) {
  EXPECT_EQ(next("0 12 * * 7", at(2024, 5, 1, 0, 0)), at(2024, 5, 5, 12, 0));
}

TEST(Schedule, february_29_comes_in_leap_years) {
  EXPECT_EQ(next("0 0 29 2 *", at(2024, 2, 29, 0, 0)), at(2028, 2, 29, 0, 0));
}

TEST(Schedule, a_day_that_no_month_has_never_comes) {
  EXPECT_EQ(next("0 0 31 2 *", at(2024, 1, 1, 0, 0)), -1);
}

TEST(Schedule, what_is_no_schedule_is_refused) {
  for (const char* text : {"", "* * * *", "60 * * * *", "* * 0 * *", "*/0 * * * *", "@daily",
                           "* * * * * *", "5-1 * * * *", "a * * * *"}) {
    EXPECT_FALSE(Schedule::parse(text)) << text;
  }
}

}  // namespace
}  // namespace restitch::app
