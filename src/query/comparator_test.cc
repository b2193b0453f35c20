#include "query/comparator.h"

#include <gtest/gtest.h>

#include "bson/extended_json.h"

namespace restitch::query {
namespace {

bson::Value json(std::string_view text) {
  auto value = bson::parse_json(text);
  EXPECT_TRUE(value) << value.error().message();
  return *value;
}

Result<std::shared_ptr<const Collation>> parsed(std::string_view text) {
  const bson::Value value = json(text);
  return Collation::parse(value.view().get_document());
}

int code_of(std::string_view text) {
  const auto collation = parsed(text);
  return collation ? 0 : collation.error().mongo_code();
}

Comparator comparator_of(std::string_view text) { return Comparator(*parsed(text)); }

TEST(Collation, simple_and_empty_are_binary_order) {
  EXPECT_EQ(*parsed("{}"), nullptr);
  EXPECT_EQ(*parsed(R"({"locale":"simple"})"), nullptr);
}

TEST(Collation, specification_is_completed) {
  const auto collation = parsed(R"({"locale":"en","strength":2})");
  ASSERT_TRUE(collation);
  EXPECT_EQ(bson::to_json((*collation)->spec().view(), bson::JsonMode::kRelaxed),
            R"({"locale":"en","caseLevel":false,"caseFirst":"off","strength":2,)"
            R"("numericOrdering":false,"alternate":"non-ignorable","maxVariable":"punct",)"
            R"("normalization":false,"backwards":false,"version":"57.1"})");
}

TEST(Collation, locale_defaults_enter_the_specification) {
  const auto french = parsed(R"({"locale":"fr_CA"})");
  ASSERT_TRUE(french);
  EXPECT_TRUE((*french)->spec()["backwards"].get_bool());
  const auto danish = parsed(R"({"locale":"da"})");
  ASSERT_TRUE(danish);
  EXPECT_EQ((*danish)->spec()["caseFirst"].get_string(), "upper");
}

TEST(Collation, completed_specification_reads_back) {
  const auto collation = parsed(R"({"locale":"de","strength":1,"alternate":"shifted"})");
  const auto again = Collation::parse((*collation)->spec());
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ((*again)->spec(), (*collation)->spec());
}

TEST(Collation, bad_specifications_have_their_codes) {
  EXPECT_EQ(code_of(R"({"strength":1})"), 40414);
  EXPECT_EQ(code_of(R"({"locale":1})"), 14);
  EXPECT_EQ(code_of(R"({"locale":"xx_nowhere"})"), 2);
  EXPECT_EQ(code_of(R"({"locale":"en-US"})"), 2);
  EXPECT_EQ(code_of(R"({"locale":"en","foo":1})"), 40415);
  EXPECT_EQ(code_of(R"({"locale":"en","strength":0})"), 51024);
  EXPECT_EQ(code_of(R"({"locale":"en","strength":6})"), 51024);
  EXPECT_EQ(code_of(R"({"locale":"en","strength":"x"})"), 14);
  EXPECT_EQ(code_of(R"({"locale":"en","caseFirst":"x"})"), 2);
  EXPECT_EQ(code_of(R"({"locale":"en","alternate":"x"})"), 2);
  EXPECT_EQ(code_of(R"({"locale":"en","maxVariable":"x"})"), 2);
  EXPECT_EQ(code_of(R"({"locale":"en","strength":1,"backwards":true})"), 2);
  EXPECT_EQ(code_of(R"({"locale":"en","strength":1,"caseFirst":"upper"})"), 2);
  EXPECT_EQ(code_of(R"({"locale":"en","version":"1.0"})"), 161);
  EXPECT_EQ(code_of(R"({"locale":"simple","strength":1})"), 2);
}

TEST(Collation, sort_keys_order_like_comparison) {
  const auto collation = *parsed(R"({"locale":"en","numericOrdering":true})");
  const std::vector<std::string> words = {"", "a", "A", "á", "a b", "ab", "a2", "a10", "Z", "é"};
  const auto sign = [](int order) { return (order > 0) - (order < 0); };
  for (const std::string& a : words) {
    for (const std::string& b : words) {
      EXPECT_EQ(sign(collation->compare(a, b)),
                sign(collation->sort_key(a).compare(collation->sort_key(b))))
          << a << " and " << b;
    }
  }
}

TEST(Collation, long_sort_keys_are_whole) {
  const auto collation = *parsed(R"({"locale":"en"})");
  const std::string text(5000, 'x');
  EXPECT_NE(collation->sort_key(text + "a"), collation->sort_key(text + "b"));
}

TEST(Comparator, equal_values_under_a_collation_hash_equal) {
  const Comparator comparator = comparator_of(R"({"locale":"en","strength":2})");
  const bson::Value a = json(R"({"x":["Ab",1]})");
  const bson::Value b = json(R"({"x":["aB",1.0]})");
  EXPECT_TRUE(comparator.equal(a, b));
  EXPECT_EQ(comparator.hash(a), comparator.hash(b));
  EXPECT_FALSE(Comparator().equal(a, b));
}

TEST(Comparator, field_names_ignore_the_collation) {
  const Comparator comparator = comparator_of(R"({"locale":"en","strength":2})");
  EXPECT_FALSE(comparator.equal(json(R"({"X":1})"), json(R"({"x":1})")));
}

TEST(Comparator, shorter_containers_come_first) {
  const Comparator comparator = comparator_of(R"({"locale":"en"})");
  EXPECT_LT(comparator.compare(json(R"(["a"])"), json(R"(["A","b"])")), 0);
  EXPECT_GT(comparator.compare(json(R"({"x":"a","y":1})"), json(R"({"x":"a"})")), 0);
  EXPECT_LT(comparator.compare(json(R"({"x":1})"), json(R"({"x":"a"})")), 0);
}

TEST(Comparator, collated_value_keeps_other_types) {
  const auto collation = *parsed(R"({"locale":"en","strength":1})");
  const bson::Value plain = json(R"({"n":1,"t":["X"]})");
  const bson::Value other = json(R"({"n":1,"t":["x"]})");
  EXPECT_TRUE(bson::equal(collated(plain, *collation), collated(other, *collation)));
  EXPECT_EQ(collated(plain, *collation).view().get_document()["n"].get_int32(), 1);
}

}  // namespace
}  // namespace restitch::query
