#include <gtest/gtest.h>

#include <future>

#include "datasource/embedded/index_keys.h"
#include "datasource/embedded/test_cluster.h"
#include "storage/engine.h"

// Damages stored data behind the cluster's back and looks at what `validate` finds.
namespace restitch::datasource::embedded {
namespace {

using bson::Document;
using bson::View;

View nth(bson::ValueView array, std::size_t number) {
  const View elements = array.get_document();
  for (const bson::Element& element : elements) {
    if (number-- == 0) return element.value.get_document();
  }
  ADD_FAILURE() << "too few elements in " << shown(elements);
  return {};
}

class ValidateTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.run("t", R"({"insert": "c", "documents": [{"_id": 1, "a": 10}, {"_id": 2, "a": 20},
                          {"_id": 3, "a": [30, 31]}]})");
    cluster_.run("t", R"({"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]})");
  }

  // The storage of the closed cluster, with the idents of its only collection.
  struct Storage {
    std::unique_ptr<storage::Engine> engine;
    storage::CollectionId collection = 0;
    storage::IndexRef by_id, by_a;
    std::vector<storage::RecordId> records;

    void change(const std::function<void(storage::Transaction&)>& work) {
      auto transaction = engine->begin(storage::Transaction::Mode::kLatest);
      work(*transaction);
      std::promise<bool> done;
      engine->commit(
          std::move(transaction), storage::Durability::kJournaled,
          [&](Result<storage::Committed> result) { done.set_value(result.has_value()); });
      ASSERT_TRUE(done.get_future().get());
    }
  };

  void damage(const std::function<void(Storage&)>& work) {
    ASSERT_TRUE(cluster_->close().has_value());
    Storage stored;
    storage::EngineOptions options;
    options.directory = cluster_.directory();
    stored.engine = std::move(*storage::Engine::open(options));
    const auto rows = std::move(*stored.engine->catalog_rows());
    for (const auto& [key, row] : rows) {
      if (row["ns"].as_string() != "t.c" || !row.view().contains("indexes")) continue;
      stored.collection = static_cast<storage::CollectionId>(*row["ident"].as_integer());
      stored.by_id = {static_cast<storage::IndexId>(*nth(row["indexes"], 0)["ident"].as_integer()),
                      true};
      stored.by_a = {static_cast<storage::IndexId>(*nth(row["indexes"], 1)["ident"].as_integer()),
                     false};
    }
    {  // a snapshot keeps the storage open
      const auto snapshot = stored.engine->snapshot();
      const auto cursor = snapshot->records(stored.collection, true, storage::ReadTier::kAll);
      while (*cursor->next()) stored.records.push_back(cursor->id());
    }
    ASSERT_EQ(stored.records.size(), 3U);
    work(stored);
    ASSERT_TRUE(stored.engine->close().has_value());
    cluster_.open();
  }

  Document validated() { return cluster_.run("t", R"({"validate": "c", "full": true})"); }

  static std::string first_key(Storage& stored, storage::IndexRef index) {
    const auto snapshot = stored.engine->snapshot();
    const auto cursor = snapshot->entries(index, {}, true, storage::ReadTier::kAll);
    EXPECT_TRUE(*cursor->next());
    return std::string(cursor->key());
  }

  TestCluster cluster_;
};

TEST_F(ValidateTest, sound_collections_are_valid_and_their_keys_are_counted) {
  const Document report = validated();
  EXPECT_TRUE(report["valid"].truthy()) << shown(report);
  EXPECT_EQ(report["nrecords"].as_integer(), 3);
  EXPECT_EQ(report.view().find_path("keysPerIndex._id_").as_integer(), 3);
  EXPECT_EQ(report.view().find_path("keysPerIndex.a_1").as_integer(), 4);
  EXPECT_EQ(report["errors"].get_document().count(), 0U);
}

TEST_F(ValidateTest, a_missing_index_entry_is_named_with_index_record_and_key) {
  damage([](Storage& stored) {
    stored.change([&](storage::Transaction& transaction) {
      ASSERT_TRUE(
          transaction.delete_entry(stored.by_a, first_key(stored, stored.by_a), stored.records[0]));
    });
  });
  const Document report = validated();
  EXPECT_FALSE(report["valid"].truthy());
  ASSERT_EQ(report["missingIndexEntries"].get_document().count(), 1U) << shown(report);
  EXPECT_EQ(nth(report["missingIndexEntries"], 0)["indexName"].as_string(), "a_1");
  EXPECT_EQ(nth(report["missingIndexEntries"], 0).find_path("indexKey.a").as_integer(), 10);
  EXPECT_EQ(report["extraIndexEntries"].get_document().count(), 0U);
  EXPECT_FALSE(report.view().find_path("indexDetails.a_1.valid").truthy());
  EXPECT_TRUE(report.view().find_path("indexDetails._id_.valid").truthy());
  EXPECT_EQ(report.view().find_path("keysPerIndex.a_1").as_integer(), 3);
}

TEST_F(ValidateTest, an_extra_index_entry_is_named) {
  damage([](Storage& stored) {
    stored.change([&](storage::Transaction& transaction) {
      ASSERT_TRUE(transaction.put_entry(stored.by_a, first_key(stored, stored.by_a), "",
                                        stored.records[1]));
    });
  });
  const Document report = validated();
  EXPECT_FALSE(report["valid"].truthy());
  ASSERT_EQ(report["extraIndexEntries"].get_document().count(), 1U) << shown(report);
  EXPECT_EQ(nth(report["extraIndexEntries"], 0)["indexName"].as_string(), "a_1");
  EXPECT_EQ(report["missingIndexEntries"].get_document().count(), 0U);
}

TEST_F(ValidateTest, a_lost_record_leaves_extra_entries_in_every_index) {
  damage([](Storage& stored) {
    stored.change([&](storage::Transaction& transaction) {
      ASSERT_TRUE(transaction.delete_record(stored.collection, stored.records[2]));
    });
  });
  const Document report = validated();
  EXPECT_FALSE(report["valid"].truthy());
  EXPECT_EQ(report["nrecords"].as_integer(), 2);
  EXPECT_EQ(report["extraIndexEntries"].get_document().count(), 3U) << shown(report);
}

TEST_F(ValidateTest, damaged_documents_are_listed_and_the_others_are_still_checked) {
  damage([](Storage& stored) {
    stored.change([&](storage::Transaction& transaction) {
      // A string whose length reaches behind the document.
      const std::string wrong(
          "\x10\0\0\0\x02"
          "a\0\xFF\0\0\0xyz\0\0",
          16);
      ASSERT_TRUE(
          transaction.put_record(stored.collection, stored.records[0],
                                 View(reinterpret_cast<const std::uint8_t*>(wrong.data()))));
      ASSERT_TRUE(transaction.delete_entry(stored.by_id, first_key(stored, stored.by_id),
                                           stored.records[0]));
    });
  });
  const Document report = validated();
  EXPECT_FALSE(report["valid"].truthy());
  EXPECT_EQ(report["nInvalidDocuments"].as_integer(), 1) << shown(report);
  EXPECT_EQ(report["nrecords"].as_integer(), 3);
  ASSERT_EQ(report["corruptRecords"].get_document().count(), 1U);
  EXPECT_EQ(report["missingIndexEntries"].get_document().count(), 0U) << shown(report);
}

}  // namespace
}  // namespace restitch::datasource::embedded
