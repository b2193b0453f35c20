#include "deployment/log_rate.h"

#include <gtest/gtest.h>

namespace restitch::deployment {
namespace {

using std::chrono::milliseconds;

class LogRateTest : public ::testing::Test {
 protected:
  int admitted(LogRate& rate, const bson::ObjectId& app, int tries) const {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += rate.admits(app, "FUNCTION", now_) ? 1 : 0;
    return count;
  }

  const bson::ObjectId app_ = bson::ObjectId::generate();
  LogRate::Clock::time_point now_ = LogRate::Clock::now();
};

TEST_F(LogRateTest, admits_a_burst_and_then_the_rate) {
  LogRate rate(10);
  EXPECT_EQ(admitted(rate, app_, 100), 20);
  now_ += milliseconds(500);
  EXPECT_EQ(admitted(rate, app_, 100), 5);
  now_ += std::chrono::hours(1);
  EXPECT_EQ(admitted(rate, app_, 100), 20);
}

TEST_F(LogRateTest, counts_what_is_left_out_once) {
  LogRate rate(10);
  admitted(rate, app_, 25);
  EXPECT_EQ(rate.take_left_out(app_, "AUTH"), 0);
  EXPECT_EQ(rate.take_left_out(app_, "FUNCTION"), 5);
  EXPECT_EQ(rate.take_left_out(app_, "FUNCTION"), 0);
}

TEST_F(LogRateTest, an_app_does_not_use_up_what_another_may_have) {
  LogRate rate(10);
  admitted(rate, app_, 100);
  EXPECT_EQ(admitted(rate, bson::ObjectId::generate(), 100), 20);
}

TEST_F(LogRateTest, zero_is_no_limit) {
  LogRate rate(0);
  EXPECT_EQ(admitted(rate, app_, 1000), 1000);
  EXPECT_EQ(rate.take_left_out(app_, "FUNCTION"), 0);
}

}  // namespace
}  // namespace restitch::deployment
