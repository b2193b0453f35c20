#include "bson/decimal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

namespace restitch::bson {
namespace {

Decimal128 decimal(std::string_view text) {
  const auto value = decimal_from_string(text);
  EXPECT_TRUE(value) << text;
  return value.value_or(Decimal128{});
}

TEST(Decimal, text_is_rounded_half_to_even_at_34_digits) {
  EXPECT_EQ(to_string(decimal("12345678901234567890123456789012345")),
            "1.234567890123456789012345678901234E+34");
  EXPECT_EQ(to_string(decimal("12345678901234567890123456789012355")),
            "1.234567890123456789012345678901236E+34");
  EXPECT_EQ(to_string(decimal("123456789012345678901234567890123450001")),
            "1.234567890123456789012345678901235E+38");
  EXPECT_EQ(to_string(decimal("99999999999999999999999999999999999")),
            "1.000000000000000000000000000000000E+35");
  EXPECT_FALSE(decimal_from_string_exact("12345678901234567890123456789012345"));
  EXPECT_TRUE(decimal_from_string_exact("12345678901234567890123456789012340"));
}

TEST(Decimal, exponents_outside_the_range_shift_digits_underflow_or_fail) {
  EXPECT_EQ(to_string(decimal("1E+6112")), "1.0E+6112");
  EXPECT_EQ(to_string(decimal("0E+99999")), "0E+6111");
  EXPECT_FALSE(decimal_from_string("1E+6145"));
  EXPECT_FALSE(decimal_from_string("1E+99999999999999999999"));
  EXPECT_EQ(to_string(decimal("10E-6177")), "1E-6176");
  EXPECT_EQ(to_string(decimal("15E-6177")), "2E-6176");
  EXPECT_EQ(to_string(decimal("1E-9999")), "0E-6176");
  EXPECT_FALSE(decimal_from_string_exact("1E-9999"));
}

TEST(Decimal, text_that_is_no_literal_is_refused) {
  for (const char* text : {"", "-", ".", "1e", "1e+", "e5", "1.2.3", "1 ", " 1", "0x1", "1,5",
                           "infinit", "nanx", "--1", "1e5.0"}) {
    EXPECT_FALSE(decimal_from_string(text)) << text;
  }
}

TEST(Decimal, doubles_keep_15_digits_or_their_whole_value) {
  EXPECT_EQ(to_string(decimal_from_double(2.5)), "2.50000000000000");
  EXPECT_EQ(to_string(decimal_from_double(0.1)), "0.100000000000000");
  EXPECT_EQ(to_string(decimal_from_double(-1234567890123456.0)), "-1.23456789012346E+15");
  EXPECT_EQ(to_string(decimal_from_double_exact(0.5)), "0.5");
  EXPECT_EQ(to_string(decimal_from_double_exact(0.1)), "0.1000000000000000055511151231257827");
  EXPECT_TRUE(decimal_is_zero(decimal_from_double(0.0)));
  EXPECT_TRUE(decimal_is_nan(decimal_from_double(std::nan(""))));
  EXPECT_TRUE(decimal_is_infinite(decimal_from_double(-INFINITY)));
}

TEST(Decimal, conversions_to_int64_are_exact_or_truncate_within_range) {
  EXPECT_EQ(decimal_to_int64_exact(decimal("1.00")), 1);
  EXPECT_EQ(decimal_to_int64_exact(decimal("12E+2")), 1200);
  EXPECT_FALSE(decimal_to_int64_exact(decimal("1.5")));
  EXPECT_EQ(decimal_to_int64_truncated(decimal("-1.99")), -1);
  EXPECT_EQ(decimal_to_int64_truncated(decimal("1E-6000")), 0);
  EXPECT_EQ(decimal_to_int64_exact(decimal("-9223372036854775808")),
            std::numeric_limits<std::int64_t>::min());
  EXPECT_FALSE(decimal_to_int64_truncated(decimal("9223372036854775808")));
  EXPECT_FALSE(decimal_to_int64_truncated(decimal("1E+6000")));
  EXPECT_FALSE(decimal_to_int64_truncated(decimal("NaN")));
}

TEST(Decimal, arithmetic_is_decimal_and_keeps_the_sign_of_the_dividend) {
  EXPECT_EQ(to_string(decimal_add(decimal("0.1"), decimal("0.2"))), "0.3");
  EXPECT_EQ(to_string(decimal_subtract(decimal("1"), decimal("0.9"))), "0.1");
  EXPECT_EQ(to_string(decimal_multiply(decimal("1.10"), decimal("3"))), "3.30");
  EXPECT_EQ(to_string(decimal_divide(decimal("1"), decimal("3"))),
            "0.3333333333333333333333333333333333");
  EXPECT_TRUE(decimal_is_infinite(decimal_divide(decimal("1"), decimal("0"))));
  EXPECT_EQ(to_string(decimal_modulo(decimal("-7.5"), decimal("2"))), "-1.5");
  EXPECT_EQ(to_string(decimal_modulo(decimal("7.5"), decimal("-2"))), "1.5");
  EXPECT_EQ(to_string(decimal_negate(decimal("5"))), "-5");
  EXPECT_EQ(to_string(decimal_absolute(decimal("-5"))), "5");
}

TEST(Decimal, transcendental_functions_agree_with_known_values) {
  EXPECT_EQ(decimal_compare(decimal_power(decimal("2"), decimal("10")), decimal("1024")), 0);
  EXPECT_EQ(decimal_compare(decimal_square_root(decimal("2.25")), decimal("1.5")), 0);
  EXPECT_EQ(decimal_compare(decimal_log10(decimal("1000")), decimal("3")), 0);
  EXPECT_EQ(to_string(decimal_exp(decimal("1"))), "2.718281828459045235360287471352662");
  EXPECT_EQ(to_string(decimal_ln(decimal("2"))), "0.6931471805599453094172321214581766");
  EXPECT_TRUE(decimal_is_nan(decimal_square_root(decimal("-1"))));
}

TEST(Decimal, rounding_honours_place_and_mode) {
  EXPECT_EQ(to_string(decimal_round(decimal("2.5"), 0, Rounding::kHalfEven)), "2");
  EXPECT_EQ(to_string(decimal_round(decimal("-2.5"), 0, Rounding::kFloor)), "-3");
  EXPECT_EQ(to_string(decimal_round(decimal("-2.5"), 0, Rounding::kCeiling)), "-2");
  EXPECT_EQ(to_string(decimal_round(decimal("1.29"), 1, Rounding::kTowardZero)), "1.2");
  EXPECT_EQ(to_string(decimal_round(decimal("1250"), -2, Rounding::kHalfEven)), "1.2E+3");
  EXPECT_EQ(to_string(decimal_round(decimal("1E+40"), 2, Rounding::kHalfEven)), "1E+40");
  EXPECT_TRUE(decimal_is_infinite(decimal_round(decimal("Infinity"), 0, Rounding::kFloor)));
}

TEST(Decimal, order_against_other_numbers_is_exact) {
  EXPECT_LT(decimal_compare_double(decimal("0.1"), 0.1), 0);
  EXPECT_EQ(decimal_compare_double(decimal("0.50"), 0.5), 0);
  EXPECT_GT(decimal_compare_double(decimal("1E+400"), std::numeric_limits<double>::max()), 0);
  EXPECT_LT(decimal_compare_double(decimal("1E+400"), INFINITY), 0);
  EXPECT_EQ(decimal_compare_double(decimal("-Infinity"), -INFINITY), 0);
  EXPECT_GT(decimal_compare_double(decimal("1E-6000"), 0.0), 0);
  EXPECT_LT(decimal_compare_double(decimal("1E-6000"), 5e-324), 0);
  EXPECT_LT(decimal_compare_int64(decimal("9007199254740992.9"), 9007199254740993), 0);
  EXPECT_EQ(decimal_compare(decimal("1.0"), decimal("1.00")), 0);
  EXPECT_EQ(decimal_compare(decimal("NaN"), decimal("NaN")), 0);
  EXPECT_LT(decimal_compare(decimal("NaN"), decimal("-Infinity")), 0);
  EXPECT_GT(decimal_compare_double(decimal("-Infinity"), std::nan("")), 0);
}

TEST(Decimal, threads_do_not_disturb_each_other) {
  const auto work = [](Rounding mode, std::string_view expected, bool& ok) {
    for (int i = 0; i < 20000 && ok; ++i) {
      ok = to_string(decimal_round(*decimal_from_string("-2.5"), 0, mode)) == expected;
    }
  };
  bool floor_ok = true;
  bool ceiling_ok = true;
  std::thread other(work, Rounding::kFloor, "-3", std::ref(floor_ok));
  work(Rounding::kCeiling, "-2", ceiling_ok);
  other.join();
  EXPECT_TRUE(floor_ok);
  EXPECT_TRUE(ceiling_ok);
}

}  // namespace
}  // namespace restitch::bson
