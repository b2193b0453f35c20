#include "triggers/progress_window.h"

#include <gtest/gtest.h>

namespace restitch::triggers {
namespace {

bson::Document token(std::int32_t number) { return bson::make_document("_data", number); }

TEST(ProgressWindow, the_place_moves_only_past_events_without_an_unfinished_one_before_them) {
  ProgressWindow window;
  const auto first = window.take(token(1), bson::Timestamp{1, 0}, 10);
  const auto second = window.take(token(2), bson::Timestamp{2, 0}, 20);
  const auto third = window.take(token(3), bson::Timestamp{3, 0}, 30);
  window.finish(third, false);
  window.finish(second, true);
  EXPECT_FALSE(window.has_progress());
  EXPECT_EQ(window.open(), 1U);
  EXPECT_EQ(window.bytes(), 10U);
  window.finish(first, false);
  ASSERT_TRUE(window.has_progress());
  const Progress progress = window.take_progress();
  EXPECT_EQ(progress.token, token(3));
  EXPECT_EQ(progress.cluster_time, (bson::Timestamp{3, 0}));
  EXPECT_EQ(progress.delivered, 3);
  EXPECT_EQ(progress.failed, 1);
  EXPECT_FALSE(window.has_progress());
  EXPECT_EQ(window.size(), 0U);
}

TEST(ProgressWindow, the_place_stays_before_an_event_that_was_given_up) {
  ProgressWindow window;
  const auto first = window.take(token(1), std::nullopt, 1);
  const auto second = window.take(token(2), std::nullopt, 1);
  window.abandon(first);
  window.finish(second, false);
  EXPECT_FALSE(window.has_progress());
  EXPECT_EQ(window.open(), 0U);
  EXPECT_EQ(window.bytes(), 0U);
  EXPECT_EQ(window.size(), 2U);
}

TEST(ProgressWindow, numbers_stay_right_while_events_leave) {
  ProgressWindow window;
  for (std::int32_t i = 0; i < 1000; ++i) {
    const auto number = window.take(token(i), std::nullopt, 1);
    EXPECT_EQ(number, static_cast<std::uint64_t>(i));
    window.finish(number, false);
    EXPECT_EQ(window.take_progress().token, token(i));
  }
}

}  // namespace
}  // namespace restitch::triggers
