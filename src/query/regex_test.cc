#include "query/regex.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace restitch::query {
namespace {

Regex compiled(std::string_view pattern, std::string_view options = "") {
  auto regex = Regex::compile(pattern, options);
  EXPECT_TRUE(regex) << regex.error().message();
  return *regex;
}

struct Prefix {
  std::string text;
  bool exact = false;
};
Prefix prefix_of(std::string_view pattern, std::string_view options = "") {
  Prefix prefix;
  prefix.text = Regex::literal_prefix(pattern, options, &prefix.exact);
  return prefix;
}

TEST(Regex, search_reports_byte_offsets_and_captures) {
  const auto match = compiled("(é)(x)?(b)").search("aéb", 0);
  ASSERT_TRUE(match && *match);
  EXPECT_EQ((*match)->start, 1U);
  EXPECT_EQ((*match)->end, 4U);
  ASSERT_EQ((*match)->captures.size(), 3U);
  EXPECT_EQ((*match)->captures[0], (std::pair<std::size_t, std::size_t>(1, 3)));
  EXPECT_EQ((*match)->captures[1].first, std::string_view::npos);
  EXPECT_EQ((*match)->captures[2], (std::pair<std::size_t, std::size_t>(3, 4)));
}

TEST(Regex, search_starts_at_the_given_byte) {
  const Regex regex = compiled("a");
  const auto second = regex.search("aba", 1);
  ASSERT_TRUE(second && *second);
  EXPECT_EQ((*second)->start, 2U);
  const auto behind = regex.search("aba", 4);
  ASSERT_TRUE(behind);
  EXPECT_FALSE(*behind);
}

TEST(Regex, look_behind_sees_what_stands_before_the_start) {
  const auto match = compiled("(?<=a)b").search("ab", 1);
  ASSERT_TRUE(match);
  EXPECT_TRUE(*match);
}

TEST(Regex, hostile_pattern_gives_up) {
  const Regex regex = compiled("^(a+)+$");
  const std::string subject = std::string(60, 'a') + "!";
  EXPECT_FALSE(regex.matches(subject));
  const auto search = regex.search(subject, 0);
  ASSERT_FALSE(search);
  EXPECT_EQ(search.error().mongo_code(), 51156);
}

TEST(Regex, long_subjects_with_many_alternatives_match) {
  const auto regex = Regex::compile("^(?:a|b|(c))*$", "");
  EXPECT_TRUE(regex->matches(std::string(50000, 'a')));
  EXPECT_TRUE(regex->matches(std::string(50000, 'c')));
}

TEST(Regex, malformed_utf8_in_the_subject_is_harmless) {
  EXPECT_TRUE(
      compiled("b$").matches("a\xFF"
                             "b"));
  EXPECT_FALSE(compiled("^.$").matches("\xFF"));
}

TEST(Regex, subject_may_hold_nul) {
  EXPECT_TRUE(compiled("b").matches(std::string_view("a\0b", 3)));
}

TEST(Regex, single_code_unit_escape_is_refused) {
  const auto regex = Regex::compile("\\C", "");
  ASSERT_FALSE(regex);
  EXPECT_EQ(regex.error().mongo_code(), 51091);
}

TEST(Regex, threads_share_a_pattern) {
  const Regex regex = compiled("^x(.)y$");
  std::vector<std::thread> threads;
  std::vector<int> counts(4);
  for (int& count : counts) {
    threads.emplace_back([&regex, &count] {
      for (int i = 0; i < 1000; ++i) count += regex.matches("xay") ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const int count : counts) EXPECT_EQ(count, 1000);
}

TEST(Regex, literal_prefix_of_an_anchored_pattern) {
  EXPECT_EQ(prefix_of("^abc").text, "abc");
  EXPECT_TRUE(prefix_of("^abc").exact);
  EXPECT_EQ(prefix_of("\\Aabc").text, "abc");
  EXPECT_EQ(prefix_of("^abc.*").text, "abc");
  EXPECT_TRUE(prefix_of("^abc.*").exact);
  EXPECT_EQ(prefix_of("^ab.c").text, "ab");
  EXPECT_FALSE(prefix_of("^ab.c").exact);
  EXPECT_EQ(prefix_of("^a\\.b").text, "a.b");
  EXPECT_TRUE(prefix_of("^a\\.b").exact);
  EXPECT_EQ(prefix_of("^\\Qa*b\\Ec").text, "a*bc");
  EXPECT_EQ(prefix_of("^abc$").text, "abc");
  EXPECT_FALSE(prefix_of("^abc$").exact);
}

TEST(Regex, literal_prefix_drops_what_a_quantifier_covers) {
  EXPECT_EQ(prefix_of("^abc*").text, "ab");
  EXPECT_FALSE(prefix_of("^abc*").exact);
  EXPECT_EQ(prefix_of("^abc?d").text, "ab");
  EXPECT_EQ(prefix_of("^abc{0,2}").text, "ab");
  EXPECT_EQ(prefix_of("^abc+").text, "abc");
  EXPECT_EQ(prefix_of("^aé*").text, "a");
  EXPECT_EQ(prefix_of("^*").text, "");
}

TEST(Regex, no_literal_prefix_without_anchor_or_with_alternatives_or_options) {
  EXPECT_EQ(prefix_of("abc").text, "");
  EXPECT_FALSE(prefix_of("abc").exact);
  EXPECT_EQ(prefix_of("^abc|d").text, "");
  EXPECT_EQ(prefix_of("^abc", "i").text, "");
  EXPECT_EQ(prefix_of("^abc", "m").text, "");
  EXPECT_EQ(prefix_of("^\\dx").text, "");
  EXPECT_EQ(prefix_of("^abc", "s").text, "abc");
}

}  // namespace
}  // namespace restitch::query
