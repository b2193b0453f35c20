#include "bson/document.h"

#include <gtest/gtest.h>

namespace restitch::bson {
namespace {

TEST(Document, builder_writes_nested_values_that_views_read_back) {
  Builder builder;
  builder.append("n", std::int32_t{7}).append("text", "a\0b");
  builder.open_object("o").append("yes", true).close();
  builder.open_array("list").push(std::int64_t{1}).push("two");
  builder.push_object().append("three", 3.0).close();
  builder.close();
  const Document document = std::move(builder).finish();

  EXPECT_EQ(document["n"].get_int32(), 7);
  EXPECT_TRUE(document.view().find_path("o.yes").get_bool());
  const View list = document["list"].get_document();
  EXPECT_EQ(list["0"].get_int64(), 1);
  EXPECT_EQ(list["1"].get_string(), "two");
  EXPECT_EQ(list["2"].get_document()["three"].get_double(), 3.0);
  EXPECT_TRUE(document["absent"].is_missing());
  EXPECT_EQ(document.view().count(), 4U);
}

TEST(Document, default_and_moved_from_documents_are_empty) {
  Document first = make_document("a", 1);
  const Document second = std::move(first);
  EXPECT_FALSE(second.empty());
  EXPECT_TRUE(Document().empty());
  EXPECT_EQ(Document().bytes().size(), 5U);
}

TEST(Document, integers_are_read_from_every_numeric_type_without_loss) {
  EXPECT_EQ(Value::of(3.0).view().as_integer(), 3);
  EXPECT_FALSE(Value::of(3.5).view().as_integer());
  EXPECT_FALSE(Value::of(9.3e18).view().as_integer());
  EXPECT_EQ(Value::of(std::int64_t{1} << 62).view().as_integer(), std::int64_t{1} << 62);
  EXPECT_FALSE(Value::of("3").view().as_integer());
}

TEST(ObjectId, generated_ids_differ_and_survive_hex) {
  const ObjectId first = ObjectId::generate();
  const ObjectId second = ObjectId::generate();
  EXPECT_NE(first, second);
  EXPECT_EQ(ObjectId::from_hex(first.to_hex()), first);
  EXPECT_FALSE(ObjectId::from_hex("zz"));
}

}  // namespace
}  // namespace restitch::bson
