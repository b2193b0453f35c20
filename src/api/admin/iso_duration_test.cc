#include "api/admin/iso_duration.h"

#include <gtest/gtest.h>

namespace restitch::api::admin {
namespace {

TEST(IsoDuration, fixed_lengths_are_read) {
  EXPECT_EQ(parse_iso_duration("PT1S"), std::chrono::seconds(1));
  EXPECT_EQ(parse_iso_duration("PT5M"), std::chrono::minutes(5));
  EXPECT_EQ(parse_iso_duration("PT1H"), std::chrono::hours(1));
  EXPECT_EQ(parse_iso_duration("P31D"), std::chrono::hours(31 * 24));
  EXPECT_EQ(parse_iso_duration("P2W"), std::chrono::hours(14 * 24));
  EXPECT_EQ(parse_iso_duration("P1DT12H30M5S"), std::chrono::seconds(36 * 3600 + 1805));
}

TEST(IsoDuration, everything_else_is_refused) {
  for (const char* text : {"", "P", "PT", "1H", "P1", "PH", "P1H", "PT1D", "P1M", "P1Y", "PT1.5S", "PT0S",
                           "PT1S1H", "PT1H1H", "P1DT", "PT1HT1M", "P-1D", "PT99999999999999999999S",
                           "P4000D", "pt1h", "PT1H "}) {
    EXPECT_FALSE(parse_iso_duration(text)) << text;
  }
}

}  // namespace
}  // namespace restitch::api::admin
