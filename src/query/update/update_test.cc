#include "query/update/update.h"

#include <gtest/gtest.h>

#include "bson/extended_json.h"
#include "query/update/diff.h"

namespace restitch::query {
namespace {

bson::Document json(std::string_view text) {
  auto document = bson::parse_json_document(text);
  EXPECT_TRUE(document) << document.error().message();
  return *document;
}

// The description of the difference, or "replace".
std::string difference(std::string_view before, std::string_view after) {
  const bson::Document post = json(after);
  const auto log = diff_documents(json(before), post);
  if (!log) return "replace";
  return bson::to_json(log->describe(post).view(), bson::JsonMode::kRelaxed);
}

const std::string kPad =
    R"("pad":"........................................................................")";

TEST(Diff, tells_changed_added_and_removed_fields) {
  EXPECT_EQ(difference("{\"a\":1,\"b\":2," + kPad + "}", "{\"a\":3," + kPad + ",\"c\":4}"),
            R"({"updatedFields":{"a":3,"c":4},"removedFields":["b"],"truncatedArrays":[]})");
}

TEST(Diff, a_field_that_moved_back_is_told_as_new) {
  EXPECT_EQ(difference("{\"a\":1,\"b\":2," + kPad + "}", "{\"b\":2," + kPad + ",\"a\":1}"),
            R"({"updatedFields":{"a":1},"removedFields":[],"truncatedArrays":[]})");
}

TEST(Diff, type_changes_count) {
  EXPECT_EQ(difference("{\"a\":1," + kPad + "}", "{\"a\":1.0," + kPad + "}"),
            R"({"updatedFields":{"a":1.0},"removedFields":[],"truncatedArrays":[]})");
}

TEST(Diff, small_documents_are_replaced) {
  EXPECT_EQ(difference(R"({"a":1})", R"({"a":2})"), "replace");
}

TEST(Diff, a_document_is_replaced_unless_the_difference_is_smaller) {
  // Document padding 20, first entry of a kind 8, name and frame 3, value 4: 35 bytes.
  EXPECT_EQ(difference(R"({"a":1,"p":"0123456789abcde"})", R"({"a":2,"p":"0123456789abcde"})"),
            "replace");
  EXPECT_EQ(difference(R"({"a":1,"p":"0123456789abcdef"})", R"({"a":2,"p":"0123456789abcdef"})"),
            R"({"updatedFields":{"a":2},"removedFields":[],"truncatedArrays":[]})");
}

TEST(Diff, grown_array_is_told_by_element) {
  EXPECT_EQ(difference("{\"a\":[1,2,3,4]," + kPad + "}", "{\"a\":[1,2,3,4,5]," + kPad + "}"),
            R"({"updatedFields":{"a.4":5},"removedFields":[],"truncatedArrays":[]})");
}

TEST(Diff, nested_truncation_names_its_path) {
  EXPECT_EQ(
      difference("{\"o\":{\"a\":[1,2,3,4],\"q\":\"........................\"}," + kPad + "}",
                 "{\"o\":{\"a\":[1,2],\"q\":\"........................\"}," + kPad + "}"),
      R"({"updatedFields":{},"removedFields":[],"truncatedArrays":[{"field":"o.a","newSize":2}]})");
}

class UpdateTest : public testing::Test {
 protected:
  Update compiled(std::string_view text) {
    auto update = Update::compile(bson::Value::of(json(text)), context_, {});
    EXPECT_TRUE(update) << update.error().message();
    return *update;
  }

  CommandContext context_;
};

TEST_F(UpdateTest, first_key_decides_the_style) {
  EXPECT_EQ(compiled(R"({"$set":{"a":1}})").style(), UpdateStyle::kOperators);
  EXPECT_EQ(compiled(R"({"a":1})").style(), UpdateStyle::kReplacement);
  EXPECT_EQ(compiled("{}").style(), UpdateStyle::kReplacement);
}

TEST_F(UpdateTest, result_larger_than_the_limit_is_refused) {
  const std::string half(bson::kMaxDocumentBytes / 2, 'x');
  bson::Builder stored;
  stored.append("_id", 1).append("a", half);
  const bson::Document document = std::move(stored).finish();
  bson::Builder update;
  update.open_object("$set").append("b", half);
  const auto grow = Update::compile(bson::Value::of(std::move(update).finish()), context_, {});
  ASSERT_TRUE(grow);
  const auto result = grow->apply(document, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().mongo_code(), 17419);
  EXPECT_EQ(result.error().message(), "Resulting document after update is larger than 16777216");
}

TEST_F(UpdateTest, upsert_larger_than_the_limit_is_refused) {
  const std::string half(bson::kMaxDocumentBytes / 2 + 100, 'x');
  bson::Builder update;
  update.open_object("$set").append("a", half).append("b", half);
  const auto grow = Update::compile(bson::Value::of(std::move(update).finish()), context_, {});
  ASSERT_TRUE(grow);
  const bson::Document query = json("{}");
  const auto result = grow->upsert_document(*Filter::compile(query, context_), query);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().mongo_code(), 17420);
}

TEST_F(UpdateTest, insert_larger_than_the_limit_is_refused) {
  bson::Builder builder;
  builder.append("a", std::string(bson::kMaxDocumentBytes, 'x'));
  const auto result = prepare_for_insert(std::move(builder).finish(), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().mongo_code(), 2);
  EXPECT_EQ(result.error().message(),
            "object to insert too large. size in bytes: 16777229, max size: 16777216");
}

TEST_F(UpdateTest, insert_nested_too_deeply_is_refused) {
  bson::Builder builder;
  for (int i = 0; i < bson::kMaxDepth; ++i) builder.open_object("a");
  const auto result = prepare_for_insert(std::move(builder).finish(), {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().mongo_code(), 15);
}

TEST_F(UpdateTest, current_date_without_cluster_time_uses_the_clock) {
  context_.now = bson::Date{5000};
  const auto result =
      compiled(R"({"$currentDate":{"a":{"$type":"timestamp"}}})").apply(json("{}"), {});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->document["a"].get_timestamp(), (bson::Timestamp{5, 1}));
}

TEST_F(UpdateTest, one_update_serves_many_documents) {
  const Update update = compiled(R"({"$inc":{"n":1},"$push":{"a":"x"}})");
  bson::Document document = json(R"({"_id":1})");
  for (int i = 0; i < 100; ++i) document = update.apply(document, {})->document;
  EXPECT_EQ(document["n"].get_int32(), 100);
  EXPECT_EQ(document["a"].get_document().count(), 100U);
}

}  // namespace
}  // namespace restitch::query
