#include "auth/attempt_limits.h"

#include <gtest/gtest.h>

namespace restitch::auth {
namespace {

using namespace std::chrono_literals;
const AttemptTable::Clock::time_point start{1000h};

TEST(AttemptTable, lets_so_many_through_at_once_and_then_one_each_share_of_the_time) {
  AttemptTable table(64);
  const AttemptRate rate{3, 30};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(table.take("k", rate, start).count(), 0) << i;
  EXPECT_EQ(table.take("k", rate, start), 10s);
  EXPECT_EQ(table.take("k", rate, start + 4s), 6s);
  EXPECT_EQ(table.take("k", rate, start + 10s).count(), 0);
  EXPECT_EQ(table.take("k", rate, start + 10s), 10s);
  EXPECT_EQ(table.take("other", rate, start).count(), 0);
}

TEST(AttemptTable, a_refused_attempt_does_not_prolong_the_wait) {
  AttemptTable table(64);
  const AttemptRate rate{1, 10};
  EXPECT_EQ(table.take("k", rate, start).count(), 0);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(table.take("k", rate, start), 10s);
  EXPECT_EQ(table.take("k", rate, start + 10s).count(), 0);
}

TEST(AttemptTable, what_is_given_back_can_be_taken_again) {
  AttemptTable table(64);
  const AttemptRate rate{1, 10};
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(table.take("k", rate, start).count(), 0) << i;
    table.give_back("k", rate);
  }
}

TEST(AttemptTable, a_flood_of_keys_does_not_push_out_one_that_was_tried_often) {
  AttemptTable table(64);
  const AttemptRate rate{5, 50};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(table.take("victim", rate, start).count(), 0);
  for (int i = 0; i < 10'000; ++i) (void)table.take("flood" + std::to_string(i), rate, start);
  EXPECT_GT(table.take("victim", rate, start).count(), 0);
}

TEST(AttemptTable, a_count_of_zero_is_no_limit) {
  AttemptTable table(8);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(table.take("k", {0, 10}, start).count(), 0);
}

class Limits : public ::testing::Test {
 protected:
  static Attempt attempt(std::string account, std::string address) {
    return {*bson::ObjectId::from_hex("0123456789abcdef01234567"), std::move(account),
            std::move(address)};
  }
  static AttemptRates rates() {
    AttemptRates rates;
    rates.sign_in_account = {2, 600};
    rates.sign_in_address = {5, 600};
    rates.message_account = {2, 600};
    return rates;
  }
  AttemptLimits limits_{rates()};
};

TEST_F(Limits, refused_sign_ins_of_an_account_are_limited_for_each_address) {
  EXPECT_TRUE(limits_.begin_sign_in(attempt("ada", "192.0.2.1")));
  EXPECT_TRUE(limits_.begin_sign_in(attempt("ada", "192.0.2.1")));
  const Status third = limits_.begin_sign_in(attempt("ada", "192.0.2.1"));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code(), ErrorCode::kTooManyRequests);
  EXPECT_EQ(third.error().message(), "too many requests");
  EXPECT_NEAR(third.error().retry_after_seconds(), 300, 1);
  EXPECT_TRUE(limits_.begin_sign_in(attempt("ada", "192.0.2.2")));
  EXPECT_TRUE(limits_.begin_sign_in(attempt("bob", "192.0.2.1")));
}

TEST_F(Limits, an_account_is_protected_from_many_addresses_together) {
  int allowed = 0;
  for (int i = 0; i < 100; ++i) {
    if (limits_.begin_sign_in(attempt("ada", "192.0.2." + std::to_string(i)))) ++allowed;
  }
  EXPECT_EQ(allowed, 20);
}

TEST_F(Limits, sign_ins_that_were_not_refused_do_not_count) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(limits_.begin_sign_in(attempt("ada", "192.0.2.1")));
    limits_.sign_in_not_refused(attempt("ada", "192.0.2.1"));
  }
}

TEST_F(Limits, the_addresses_of_an_ipv6_network_count_together) {
  for (int i = 0; i < 5; ++i)
    EXPECT_TRUE(limits_.begin_sign_in(attempt("", "2001:db8::" + std::to_string(i))));
  EXPECT_FALSE(limits_.begin_sign_in(attempt("", "2001:db8::99")));
  EXPECT_TRUE(limits_.begin_sign_in(attempt("", "2001:db8:0:1::1")));
  EXPECT_TRUE(limits_.begin_sign_in(attempt("", "192.0.2.77")));
}

TEST_F(Limits, a_loopback_address_alone_is_not_limited_but_an_account_tried_from_it_is) {
  for (const char* address : {"127.0.0.1", "::1", "::ffff:127.0.0.1", ""}) {
    for (int i = 0; i < 50; ++i)
      EXPECT_TRUE(limits_.begin_sign_in(attempt("", address))) << address;
    EXPECT_TRUE(limits_.register_account(attempt("", address)));
  }
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(limits_.begin_sign_in(attempt("ada", "127.0.0.1")));
  EXPECT_FALSE(limits_.begin_sign_in(attempt("ada", "127.0.0.1")));
}

TEST_F(Limits, messages_to_an_account_are_limited_whoever_asks) {
  EXPECT_TRUE(limits_.ask_for_message(attempt("ada", "192.0.2.1")));
  EXPECT_TRUE(limits_.ask_for_message(attempt("ada", "192.0.2.2")));
  EXPECT_FALSE(limits_.ask_for_message(attempt("ada", "192.0.2.3")));
  EXPECT_TRUE(limits_.ask_for_message(attempt("bob", "192.0.2.1")));
}

}  // namespace
}  // namespace restitch::auth
