#include "base/encoding.h"

#include <gtest/gtest.h>

namespace restitch {
namespace {

TEST(Encoding, base64_pads_and_reads_both_alphabets) {
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64url("\xfb\xff"), "-_8");
  EXPECT_EQ(from_base64("-_8"), "\xfb\xff");
  EXPECT_EQ(from_base64("+/8="), "\xfb\xff");
  EXPECT_EQ(from_base64("Zg=="), "f");
}

TEST(Encoding, base64_refuses_foreign_characters_and_impossible_lengths) {
  EXPECT_FALSE(from_base64("Z"));
  EXPECT_FALSE(from_base64("Zm9v!mFy"));
  EXPECT_FALSE(from_base64("Zg=a"));
}

TEST(Encoding, hex_round_trips_and_refuses_odd_lengths) {
  EXPECT_EQ(to_hex(std::string("\x00\xab", 2)), "00ab");
  EXPECT_EQ(from_hex("00AB"), std::string("\x00\xab", 2));
  EXPECT_FALSE(from_hex("0"));
  EXPECT_FALSE(from_hex("0g"));
}

TEST(Encoding, percent_decoding_refuses_broken_escapes) {
  EXPECT_EQ(percent_decode("a%20b+c", true), "a b c");
  EXPECT_EQ(percent_decode("a+c", false), "a+c");
  EXPECT_FALSE(percent_decode("a%2", false));
  EXPECT_FALSE(percent_decode("a%zz", false));
  EXPECT_EQ(percent_encode("a b/ü"), "a%20b%2F%C3%BC");
}

TEST(Encoding, utf8_refuses_surrogates_overlong_forms_and_truncation) {
  EXPECT_TRUE(is_valid_utf8("plain, \xc3\xbc, \xe2\x82\xac, \xf0\x9f\x98\x80"));
  EXPECT_FALSE(is_valid_utf8("\xc0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_valid_utf8("\xe2\x82"));
  EXPECT_FALSE(is_valid_utf8("\xf4\x90\x80\x80"));
}

}  // namespace
}  // namespace restitch
