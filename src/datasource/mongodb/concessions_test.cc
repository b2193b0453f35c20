#include "datasource/mongodb/concessions.h"

#include <gtest/gtest.h>

#include "bson/extended_json.h"

namespace restitch::datasource::mongodb {
namespace {

using bson::Document;
using bson::View;

Document parse(std::string_view json) { return *bson::parse_json_document(json); }

std::string json_of(View document) { return bson::to_json(document, bson::JsonMode::kRelaxed); }

std::string conceded(std::string_view body, std::string_view reply, bool limit_is_ours = true) {
  const auto kept = without_refused_part(parse(body), parse(reply), limit_is_ours);
  return kept ? json_of(*kept) : "nothing";
}

constexpr std::string_view kNoCollation =
    R"({"ok": 0, "code": 238, "errmsg": "find: support for field \"collation\" is not implemented yet"})";
constexpr std::string_view kNoLimit =
    R"({"ok": 0, "code": 40415, "errmsg": "distinct: unknown field \"maxTimeMS\""})";

TEST(Concessions, the_simple_collation_is_left_out_where_there_is_no_other) {
  EXPECT_EQ(
      conceded(R"({"find": "c", "collation": {"locale": "simple"}, "limit": 1})", kNoCollation),
      json_of(parse(R"({"find": "c", "limit": 1})")));
  EXPECT_EQ(
      conceded(
          R"({"update": "c", "updates": [{"q": {}, "u": {}, "collation": {"locale": "simple"}}]})",
          kNoCollation),
      json_of(parse(R"({"update": "c", "updates": [{"q": {}, "u": {}}]})")));
}

TEST(Concessions, another_collation_is_meant) {
  EXPECT_EQ(conceded(R"({"find": "c", "collation": {"locale": "en"}})", kNoCollation), "nothing");
  EXPECT_EQ(
      conceded(R"({"find": "c", "collation": {"locale": "simple", "strength": 2}})", kNoCollation),
      "nothing");
}

TEST(Concessions, a_time_limit_is_left_out_when_it_is_the_servers_own) {
  constexpr std::string_view kBody = R"({"distinct": "c", "maxTimeMS": 1000})";
  EXPECT_EQ(conceded(kBody, kNoLimit), json_of(parse(R"({"distinct": "c"})")));
  EXPECT_EQ(conceded(kBody, kNoLimit, false), "nothing");
}

TEST(Concessions, other_failures_stay_and_success_too) {
  constexpr std::string_view kBody =
      R"({"find": "c", "maxTimeMS": 5, "collation": {"locale": "simple"}})";
  EXPECT_EQ(conceded(kBody, R"({"ok": 0, "code": 50, "errmsg": "maxTimeMS has expired"})"),
            "nothing");
  EXPECT_EQ(conceded(kBody, R"({"ok": 0, "code": 2, "errmsg": "bad collation"})"), "nothing");
  EXPECT_EQ(conceded(kBody, R"({"ok": 1, "code": 238, "errmsg": "collation"})"), "nothing");
}

}  // namespace
}  // namespace restitch::datasource::mongodb
