#include "api/wire/hello.h"

#include <gtest/gtest.h>

#include "api/wire/reply.h"
#include "bson/extended_json.h"

namespace restitch::api::wire {
namespace {

bson::Document document(std::string_view json) {
  auto parsed = bson::parse_json_document(json);
  EXPECT_TRUE(parsed);
  return std::move(*parsed);
}

template <typename T>
int code_of(const Result<T>& result) {
  return result ? 0 : result.error().mongo_code();
}

constexpr const char* kMetadata =
    R"({"driver": {"name": "n", "version": "1"}, "os": {"type": "Linux"}})";

std::string metadata_of(const std::string& application) {
  return R"({"application": {"name": ")" + application +
         R"("}, "driver": {"name": "n", "version": "1"}, "os": {"type": "Linux"}})";
}

TEST(WireHello, a_topology_version_and_a_waiting_time_come_together) {
  const char* version = R"("topologyVersion": {"processId": {"$oid": "0102030405060708090a0b0c"}, )"
                        R"("counter": {"$numberLong": "3"}})";
  const auto hello = [&](const std::string& rest) {
    const bson::Document command = document("{\"hello\": 1" + rest + "}");
    return parse_hello(command);
  };
  EXPECT_EQ(code_of(hello("")), 0);
  const auto both = hello(std::string(", ") + version + ", \"maxAwaitTimeMS\": 250");
  ASSERT_TRUE(both);
  EXPECT_TRUE(both->is_awaitable());
  EXPECT_EQ(both->known_topology->counter, 3);
  EXPECT_EQ(both->max_wait.count(), 250);
  EXPECT_EQ(code_of(hello(std::string(", ") + version)), 31368);
  EXPECT_EQ(code_of(hello(", \"maxAwaitTimeMS\": 250")), 31368);
  EXPECT_EQ(code_of(hello(std::string(", ") + version + ", \"maxAwaitTimeMS\": -1")), 51024);
  EXPECT_EQ(code_of(hello(", \"topologyVersion\": 1, \"maxAwaitTimeMS\": 1")), 14);
  EXPECT_EQ(code_of(hello(R"(, "topologyVersion": {"processId":
    {"$oid": "0102030405060708090a0b0c"}, "counter": {"$numberLong": "-1"}},
    "maxAwaitTimeMS": 1)")),
            31372);
}

TEST(WireHello, only_the_present_topology_is_waited_on) {
  Topology topology;
  topology.counter = 5;
  const auto known = [&](std::int64_t counter) {
    return knows_topology({topology.process_id, counter}, topology);
  };
  EXPECT_TRUE(*known(5));
  EXPECT_FALSE(*known(4));
  EXPECT_EQ(code_of(known(6)), 31382);
  EXPECT_FALSE(*knows_topology({bson::ObjectId::generate(), 9}, topology));
}

TEST(WireHello, metadata_is_checked) {
  EXPECT_TRUE(check_metadata(document(kMetadata)));
  EXPECT_EQ(code_of(check_metadata(document("{}"))), 183);
  EXPECT_EQ(code_of(check_metadata(document(R"({"driver": {"name": "n", "version": "1"}})"))), 183);
  EXPECT_EQ(
      code_of(check_metadata(document(R"({"driver": {"name": "n"}, "os": {"type": "Linux"}})"))),
      183);
  EXPECT_TRUE(check_metadata(document(metadata_of(std::string(128, 'a')))));
  EXPECT_EQ(code_of(check_metadata(document(metadata_of(std::string(129, 'a'))))), 184);
  EXPECT_EQ(code_of(check_metadata(document(metadata_of(std::string(500, 'a'))))), 185);
}

TEST(WireHello, user_names_need_their_database) {
  const bson::Document bare = document(R"({"hello": 1, "saslSupportedMechs": "u"})");
  EXPECT_EQ(code_of(parse_hello(bare)), 2);
  const bson::Document full = document(R"({"hello": 1, "saslSupportedMechs": "db.u"})");
  EXPECT_EQ(code_of(parse_hello(full)), 0);
}

TEST(WireReply, times_follow_the_members_of_the_reply) {
  const bson::Document reply = with_times(document(R"({"n": 1, "ok": 1.0})"), {7, 3}, {6, 2});
  EXPECT_EQ(bson::to_json(reply, bson::JsonMode::kRelaxed),
            R"({"n":1,"ok":1.0,"$clusterTime":{"clusterTime":{"$timestamp":{"t":7,"i":3}},)"
            R"("signature":{"hash":{"$binary":{"base64":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=",)"
            R"("subType":"00"}},"keyId":0}},"operationTime":{"$timestamp":{"t":6,"i":2}}})");
}

TEST(WireReply, errors_carry_code_name_and_labels) {
  const bson::Document command = document(R"({"insert": "c", "txnNumber": {"$numberLong": "1"}})");
  const Error closing(ErrorCode::kClosing, "closing");
  EXPECT_EQ(bson::to_json(error_reply(closing, label_context(command)), bson::JsonMode::kRelaxed),
            R"({"ok":0.0,"errmsg":"closing","code":91,"codeName":"ShutdownInProgress",)"
            R"("errorLabels":["RetryableWriteError","NoWritesPerformed"]})");
  EXPECT_EQ(bson::to_json(error_reply(mongo_error(40571, "no $db")), bson::JsonMode::kRelaxed),
            R"({"ok":0.0,"errmsg":"no $db","code":40571,"codeName":"Location40571"})");
}

TEST(WireReply, cluster_times_from_afar_are_refused) {
  const auto gossip = [](std::string_view json) { return gossiped_time(document(json), 1000); };
  EXPECT_EQ(*gossip("{}"), bson::Timestamp());
  EXPECT_EQ(*gossip(R"({"$clusterTime": {"clusterTime": {"$timestamp": {"t": 2000, "i": 1}}}})"),
            (bson::Timestamp{2000, 1}));
  EXPECT_EQ(code_of(gossip(
                R"({"$clusterTime": {"clusterTime": {"$timestamp": {"t": 31537001, "i": 1}}}})")),
            205);
  EXPECT_EQ(code_of(gossip(R"({"$clusterTime": {}})")), 4);
  EXPECT_EQ(code_of(gossip(R"({"$clusterTime": 1})")), 14);
  EXPECT_EQ(code_of(gossip(R"({"$clusterTime": {"clusterTime": 1}})")), 14);
}

}  // namespace
}  // namespace restitch::api::wire
