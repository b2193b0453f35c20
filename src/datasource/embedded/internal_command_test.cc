#include "datasource/embedded/internal_command.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "bson/extended_json.h"
#include "datasource/embedded/find_stream.h"
#include "datasource/embedded/maintenance.h"
#include "datasource/embedded/schema_changes.h"

namespace restitch::datasource::embedded {
namespace {

using bson::Document;

// The parts of a cluster without its threads.
class ServicesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "restitch-services-XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
    storage::EngineOptions options;
    options.directory = directory_;
    options.block_cache_bytes = 8U << 20U;
    auto engine = storage::Engine::open(options);
    ASSERT_TRUE(engine) << engine.error().message();
    services_.engine = std::move(*engine);
    services_.catalog = std::make_unique<Catalog>(*services_.engine);
    ASSERT_TRUE(services_.catalog->load());
  }
  void TearDown() override {
    EXPECT_TRUE(services_.engine->close());
    std::filesystem::remove_all(directory_);
  }

  static Document json(std::string_view text) {
    auto parsed = bson::parse_json_document(text);
    EXPECT_TRUE(parsed) << text;
    return parsed ? std::move(*parsed) : Document();
  }
  Document run(std::string_view text) {
    auto reply = run_internal(services_, "t", json(text));
    EXPECT_TRUE(reply && (*reply)["ok"].truthy()) << text;
    return reply ? std::move(*reply) : Document();
  }
  void create_index(std::string_view spec) {
    const Document owned = json(spec);
    const auto created = create_indexes(services_, {"t", "c"}, {owned.view()});
    EXPECT_TRUE(created) << created.error().message();
  }
  std::vector<storage::ChangeLogEntry> changes() {
    auto entries = services_.engine->changes_after({}, UINT32_MAX, 1000);
    EXPECT_TRUE(entries);
    return entries ? std::move(*entries) : std::vector<storage::ChangeLogEntry>();
  }
  std::int64_t stored() { return services_.catalog->find("t", "c")->counters->count.load(); }

  Services services_;
  std::string directory_;
};

TEST_F(ServicesTest, expired_documents_are_deleted) {
  create_index(R"({"key": {"at": 1}, "name": "at", "expireAfterSeconds": 60})");
  run(R"({"insert": "c", "documents": [
    {"_id": 1, "at": {"$date": "2020-01-01T00:00:00Z"}}, {"_id": 2, "at": {"$date": "2020-01-01T00:05:00Z"}},
    {"_id": 3, "at": "2019"}, {"_id": 4}, {"_id": 5, "at": [{"$date": "2030-01-01T00:00:00Z"}, {"$date": "2019-01-01T00:00:00Z"}]}]})");
  constexpr std::int64_t kFirstPlusMinute = 1577836800000 + 60'000;
  EXPECT_EQ(delete_expired(services_, bson::Date{kFirstPlusMinute - 1}), 1);
  EXPECT_EQ(delete_expired(services_, bson::Date{kFirstPlusMinute}), 1);
  EXPECT_EQ(delete_expired(services_, bson::Date{kFirstPlusMinute}), 0);
  EXPECT_EQ(stored(), 3);
}

TEST_F(ServicesTest, every_write_is_in_the_change_log) {
  run(R"({"insert": "c", "documents": [{"_id": 1, "a": 1, "b": "some text that makes the difference small"}]})");
  run(R"({"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": 2}}}]})");
  run(R"({"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": 2}}}]})");
  run(R"({"update": "c", "updates": [{"q": {"_id": 1}, "u": {"z": 1}}]})");
  create_index(R"({"key": {"z": 1}, "name": "z_1"})");
  run(R"({"delete": "c", "deletes": [{"q": {"_id": 1}, "limit": 1}]})");
  drop_quietly(services_, {"t", "c"});
  std::vector<std::string> kinds;
  for (const storage::ChangeLogEntry& change : changes()) {
    kinds.emplace_back(*change.entry["op"].as_string());
    EXPECT_EQ(change.entry["ns"].as_string(), "t.c");
  }
  EXPECT_EQ(kinds,
            (std::vector<std::string>{"create", "i", "u", "r", "createIndexes", "d", "drop"}));
  const auto entries = changes();
  EXPECT_EQ(entries[1].entry.view().find_path("o.a").as_integer(), 1);
  EXPECT_EQ(entries[1].entry["n"].as_integer(), 1);
  EXPECT_EQ(entries[2].entry.view().find_path("o.updatedFields.a").as_integer(), 2);
  EXPECT_EQ(entries[2].entry.view().find_path("k._id").as_integer(), 1);
  EXPECT_EQ(entries[3].entry.view().find_path("o.z").as_integer(), 1);
  EXPECT_LT(entries[1].cluster_time, entries[2].cluster_time);
}

TEST_F(ServicesTest, pre_images_are_kept_where_asked_for) {
  ASSERT_TRUE(services_.catalog->create(
      {"t", "c"}, json(R"({"changeStreamPreAndPostImages": {"enabled": true}})"), bson::View()));
  run(R"({"insert": "c", "documents": [{"_id": 1, "a": 1}]})");
  run(R"({"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$set": {"a": 2}}}]})");
  const auto entries = changes();
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_FALSE(entries[1].pre_image);
  ASSERT_TRUE(entries[2].pre_image);
  EXPECT_EQ((*entries[2].pre_image)["a"].as_integer(), 1);
}

TEST_F(ServicesTest, counters_are_right_after_an_unclean_end) {
  run(R"({"insert": "c", "documents": [{"_id": 1}, {"_id": 2}]})");
  ASSERT_TRUE(services_.catalog->save_counters());
  run(R"({"insert": "c", "documents": [{"_id": 3}]})");
  run(R"({"delete": "c", "deletes": [{"q": {"_id": {"$lt": 3}}, "limit": 0}]})");
  // Another catalog over the same storage reads what a restart would find.
  Catalog reread(*services_.engine);
  ASSERT_TRUE(reread.load());
  const CollectionPtr collection = reread.find("t", "c");
  ASSERT_TRUE(collection);
  EXPECT_EQ(collection->counters->count.load(), 1);
  EXPECT_EQ(collection->counters->bytes.load(), 14);
}

TEST_F(ServicesTest, an_old_snapshot_does_not_use_a_newer_index) {
  run(R"({"insert": "c", "documents": [{"_id": 1, "a": 1}]})");
  const storage::SnapshotPtr before = services_.engine->snapshot();
  create_index(R"({"key": {"a": 1}, "name": "a_1"})");
  const Document filter = json(R"({"a": 1})");
  const auto access_at = [&](const storage::SnapshotPtr& snapshot) {
    FindRequest request;
    request.filter = filter;
    request.read_time = snapshot->cluster_time();
    auto stream = FindStream::make(services_.catalog->find("t", "c"), request,
                                   std::make_unique<query::CommandContext>());
    EXPECT_TRUE(stream);
    return (*stream)->plan().access;
  };
  EXPECT_EQ(access_at(before), Access::kCollectionScan);
  EXPECT_EQ(access_at(services_.engine->snapshot()), Access::kIndexScan);
}

}  // namespace
}  // namespace restitch::datasource::embedded
