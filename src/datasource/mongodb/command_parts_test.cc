#include "datasource/mongodb/command_parts.h"

#include <gtest/gtest.h>

#include "bson/extended_json.h"

namespace restitch::datasource::mongodb {
namespace {

CommandParts parts_of(std::string_view json,
                      std::optional<std::int64_t> max_time_ms = std::nullopt) {
  auto command = bson::parse_json_document(json);
  EXPECT_TRUE(command) << json;
  return take_apart(*command, max_time_ms);
}

std::string body_of(const CommandParts& parts) {
  return bson::to_json(parts.body.view(), bson::JsonMode::kRelaxed);
}

TEST(CommandPartsTest, session_fields_leave_the_body_and_are_told_apart) {
  const auto parts = parts_of(R"({"insert": "c", "documents": [{"a": 1}], "lsid": {"id": {"$uuid":
      "00112233-4455-6677-8899-aabbccddeeff"}}, "txnNumber": {"$numberLong": "3"}, "autocommit": false,
      "startTransaction": true, "$clusterTime": {"x": 1}, "$db": "d"})");
  EXPECT_EQ(body_of(parts), R"({"insert":"c","documents":[{"a":1}]})");
  EXPECT_EQ(parts.route, Route::kWrite);
  EXPECT_TRUE(parts.in_transaction);
  EXPECT_TRUE(parts.starts_transaction);
  EXPECT_EQ(parts.session.size(), 16U);
  EXPECT_EQ(static_cast<unsigned char>(parts.session[15]), 0xff);
}

TEST(CommandPartsTest, a_session_without_a_transaction_is_left_to_the_library) {
  const auto parts = parts_of(
      R"({"find": "c", "lsid": {"id": {"$uuid": "00112233-4455-6677-8899-aabbccddeeff"}}})");
  EXPECT_FALSE(parts.in_transaction);
  EXPECT_EQ(parts.route, Route::kOpensCursor);
  EXPECT_EQ(body_of(parts), R"({"find":"c"})");
}

TEST(CommandPartsTest, concerns_are_taken_out) {
  const auto parts = parts_of(
      R"({"update": "c", "updates": [], "writeConcern": {"w": 1}, "readConcern": {"level": "local"}})");
  EXPECT_EQ(body_of(parts), R"({"update":"c","updates":[]})");
  EXPECT_EQ(parts.write_concern["w"].as_integer(), 1);
  EXPECT_EQ(parts.read_concern["level"].as_string(), "local");
}

TEST(CommandPartsTest, the_time_limit_is_added_once_and_only_where_a_command_takes_one) {
  EXPECT_EQ(body_of(parts_of(R"({"count": "c"})", 50)), R"({"count":"c","maxTimeMS":50})");
  EXPECT_EQ(body_of(parts_of(R"({"count": "c", "maxTimeMS": 7})", 50)),
            R"({"count":"c","maxTimeMS":7})");
  EXPECT_EQ(body_of(parts_of(R"({"getMore": 5, "collection": "c"})", 50)),
            R"({"getMore":5,"collection":"c"})");
}

TEST(CommandPartsTest, a_field_that_is_named_like_a_session_field_is_kept_as_the_command_name) {
  const auto parts = parts_of(R"({"autocommit": 1})");
  EXPECT_EQ(parts.name, "autocommit");
  EXPECT_FALSE(parts.in_transaction);
}

}  // namespace
}  // namespace restitch::datasource::mongodb
