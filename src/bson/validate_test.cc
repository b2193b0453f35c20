#include "bson/validate.h"

#include <gtest/gtest.h>

#include "bson/value_generator.h"

namespace restitch::bson {
namespace {

Document nested(int levels) {
  Builder builder;
  for (int i = 1; i < levels; ++i) builder.open_object("a");
  return std::move(builder).finish();
}

int code_of(const Status& status) { return status ? 0 : status.error().mongo_code(); }

TEST(Validate, nesting_is_allowed_up_to_the_limit) {
  EXPECT_EQ(code_of(validate(nested(200).bytes())), 0);
  EXPECT_EQ(code_of(validate(nested(201).bytes())), 15);
  EXPECT_EQ(code_of(validate(nested(3).bytes(), {.max_depth = 2})), 15);
}

TEST(Validate, hostile_nesting_costs_no_stack) {
  const Document document = nested(100000);
  EXPECT_EQ(code_of(validate(document.bytes())), 15);
  EXPECT_EQ(code_of(validate(document.bytes(), {.max_depth = 1000000})), 0);
}

TEST(Validate, documents_over_the_size_limit_are_refused) {
  const Document document = make_document("a", std::string(100, 'x'));
  EXPECT_EQ(code_of(validate(document.bytes(), {.max_size = 50})), 22);
  EXPECT_EQ(code_of(validate(document.bytes())), 0);
}

TEST(Validate, names_and_strings_must_be_utf8) {
  EXPECT_EQ(code_of(validate(make_document("a", "\xC3").bytes())), 22);
  EXPECT_EQ(code_of(validate(make_document("\xFF", 1).bytes())), 22);
  EXPECT_EQ(code_of(validate(make_document("\xC3\xA9", "long ascii then \xC3\xA9").bytes())), 0);
}

TEST(Validate, every_generated_document_passes_and_no_proper_prefix_does) {
  ValueGenerator generator(7);
  for (int i = 0; i < 500; ++i) {
    const Document document = generator.object(3);
    const std::string_view bytes = document.bytes();
    ASSERT_EQ(code_of(validate(bytes)), 0);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      ASSERT_EQ(code_of(validate(bytes.substr(0, size))), 22);
    }
  }
}

}  // namespace
}  // namespace restitch::bson
