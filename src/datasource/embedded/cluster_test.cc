#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "datasource/client.h"
#include "datasource/embedded/test_cluster.h"

namespace restitch::datasource::embedded {
namespace {

using bson::Builder;
using bson::Document;

Document json(std::string_view text) {
  auto parsed = bson::parse_json_document(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? std::move(*parsed) : Document();
}

// The first document of a reply's batch; empty if there is none.
bson::View first_of_batch(const Document& reply) {
  const bson::View batch =
      reply.view().find_path("cursor.firstBatch").as_array().value_or(bson::View());
  return batch["0"].as_object().value_or(bson::View());
}

void expect_consistent(TestCluster& cluster, std::string_view database,
                       const std::string& collection) {
  Builder command;
  command.append("validate", collection);
  const Document report = cluster.run(database, std::move(command).finish());
  EXPECT_TRUE(report["valid"].truthy()) << shown(report);
  Builder count;
  count.append("count", collection);
  const Document counted = cluster.run(database, std::move(count).finish());
  EXPECT_EQ(counted["n"].as_integer(), report["nrecords"].as_integer());
}

template <typename Work>
void in_threads(int threads, const Work& work) {
  std::vector<std::thread> running;
  for (int at = 0; at < threads; ++at) running.emplace_back([&work, at]() { work(at); });
  for (std::thread& thread : running) thread.join();
}

TEST(ClusterConcurrency, increments_of_one_document_are_all_counted) {
  TestCluster cluster;
  cluster.run("t", R"({"insert": "c", "documents": [{"_id": 1, "n": 0}]})");
  constexpr int kThreads = 8, kEach = 25;
  in_threads(kThreads, [&](int) {
    for (int at = 0; at < kEach; ++at) {
      const Document reply = cluster.run(
          "t", R"({"update": "c", "updates": [{"q": {"_id": 1}, "u": {"$inc": {"n": 1}}}],
                   "writeConcern": {"w": 1}})");
      EXPECT_EQ(reply["nModified"].as_integer(), 1) << shown(reply);
    }
  });
  const Document found = cluster.run("t", R"({"find": "c"})");
  EXPECT_EQ(found.view()
                .find_path("cursor.firstBatch")
                .get_document()
                .begin()
                ->value.get_document()["n"]
                .as_integer(),
            kThreads * kEach);
  expect_consistent(cluster, "t", "c");
}

TEST(ClusterConcurrency, one_of_many_inserts_of_a_unique_key_wins) {
  TestCluster cluster;
  cluster.run(
      "t",
      R"({"createIndexes": "c", "indexes": [{"key": {"k": 1}, "name": "k_1", "unique": true}]})");
  constexpr int kThreads = 8, kKeys = 20;
  std::atomic<int> stored{0}, refused{0};
  in_threads(kThreads, [&](int) {
    for (int key = 0; key < kKeys; ++key) {
      const Document reply =
          cluster.run("t", R"({"insert": "c", "writeConcern": {"w": 1}, "documents": [{"k": )" +
                               std::to_string(key) + "}]}");
      stored += static_cast<int>(reply["n"].as_integer().value_or(0));
      if (reply.view().contains("writeErrors")) ++refused;
    }
  });
  EXPECT_EQ(stored.load(), kKeys);
  EXPECT_EQ(refused.load(), kKeys * (kThreads - 1));
  expect_consistent(cluster, "t", "c");
}

TEST(ClusterConcurrency, upserts_of_one_key_make_one_document) {
  TestCluster cluster;
  constexpr int kThreads = 8, kEach = 10;
  in_threads(kThreads, [&](int) {
    for (int at = 0; at < kEach; ++at) {
      const Document reply = cluster.run("t", R"({"update": "c", "writeConcern": {"w": 1},
                   "updates": [{"q": {"_id": "x"}, "u": {"$inc": {"n": 1}}, "upsert": true}]})");
      EXPECT_EQ(reply["n"].as_integer(), 1) << shown(reply);
      EXPECT_FALSE(reply.view().contains("writeErrors")) << shown(reply);
    }
  });
  const Document found = cluster.run("t", R"({"find": "c"})");
  const bson::View batch = found.view().find_path("cursor.firstBatch").get_document();
  ASSERT_EQ(batch.count(), 1U);
  EXPECT_EQ(batch.begin()->value.get_document()["n"].as_integer(), kThreads * kEach);
}

TEST(ClusterConcurrency, an_index_built_during_writes_is_complete) {
  TestCluster cluster;
  Builder insert;
  insert.append("insert", "c");
  insert.open_array("documents");
  for (std::int32_t at = 0; at < 3000; ++at) insert.push(bson::make_document("a", at));
  insert.close();
  cluster.run("t", std::move(insert).finish());
  std::atomic<bool> is_done{false};
  std::thread writer([&]() {
    std::minstd_rand random(7);
    while (!is_done.load()) {
      const auto value = std::to_string(random() % 3000);
      cluster.run("t", R"({"update": "c", "writeConcern": {"w": 1}, "updates": [{"q": {"a": )" +
                           value + R"(}, "u": {"$set": {"b": )" + value + "}}}]}");
      cluster.run("t", R"({"insert": "c", "writeConcern": {"w": 1}, "documents": [{"a": )" + value +
                           R"(, "b": [1, 2]}]})");
      cluster.run("t", R"({"delete": "c", "writeConcern": {"w": 1}, "deletes": [{"q": {"a": )" +
                           std::to_string(random() % 3000) + R"(}, "limit": 1}]})");
    }
  });
  const Document built = cluster.run(
      "t",
      R"({"createIndexes": "c", "indexes": [{"key": {"b": 1, "a": -1}, "name": "b_1_a_-1"}]})");
  is_done = true;
  writer.join();
  EXPECT_TRUE(built["ok"].truthy()) << shown(built);
  expect_consistent(cluster, "t", "c");
}

TEST(ClusterReopening, documents_indexes_and_counts_survive) {
  TestCluster cluster;
  cluster.run("t", R"({"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a_1"}]})");
  cluster.run("t",
              R"({"insert": "c", "documents": [{"_id": 1, "a": [1, 2]}, {"_id": 2, "a": 3}]})");
  cluster.run("t", R"({"delete": "c", "deletes": [{"q": {"_id": 2}, "limit": 1}]})");
  cluster.reopen();
  EXPECT_EQ(cluster.run("t", R"({"count": "c"})")["n"].as_integer(), 1);
  const Document plan = cluster.run(
      "t", R"({"explain": {"find": "c", "filter": {"a": 2}}, "verbosity": "queryPlanner"})");
  EXPECT_EQ(plan.view().find_path("queryPlanner.winningPlan.inputStage.indexName").as_string(),
            "a_1")
      << shown(plan);
  EXPECT_TRUE(plan.view().find_path("queryPlanner.winningPlan.inputStage.isMultiKey").truthy());
  expect_consistent(cluster, "t", "c");
}

TEST(ClusterReopening, a_committed_transaction_may_be_committed_again) {
  TestCluster cluster;
  const std::string session =
      R"("lsid": {"id": {"$uuid": "11111111-2222-4333-8444-555555555555"}}, "txnNumber": {"$numberLong": "3"}, "autocommit": false)";
  cluster.run("t", R"({"create": "c"})");
  cluster.run("t", R"({"insert": "c", "documents": [{"_id": 1}], "startTransaction": true, )" +
                       session + "}");
  EXPECT_TRUE(cluster.run("admin", R"({"commitTransaction": 1, )" + session + "}")["ok"].truthy());
  cluster.reopen();
  EXPECT_TRUE(cluster.run("admin", R"({"commitTransaction": 1, )" + session + "}")["ok"].truthy());
  EXPECT_EQ(cluster.run("t", R"({"count": "c"})")["n"].as_integer(), 1);
}

TEST(ClusterReopening, collections_of_a_transaction_survive_when_it_committed) {
  TestCluster cluster;
  const std::string session =
      R"("lsid": {"id": {"$uuid": "11111111-2222-4333-8444-666666666666"}}, "autocommit": false)";
  const auto run = [&](int number, const std::string& command, const char* database = "t") {
    const std::string text = "{" + command + R"(, "txnNumber": {"$numberLong": ")" +
                             std::to_string(number) + R"("}, )" + session + "}";
    return cluster.run(database, text);
  };
  run(1, R"("createIndexes": "kept", "indexes": [{"key": {"a": 1}, "name": "a_1"}],
            "startTransaction": true)");
  run(1, R"("insert": "kept", "documents": [{"_id": 1, "a": [1, 2]}])");
  EXPECT_TRUE(run(1, R"("commitTransaction": 1)", "admin")["ok"].truthy());
  run(2, R"("insert": "lost", "documents": [{"_id": 1}], "startTransaction": true)");
  cluster.reopen();
  EXPECT_EQ(cluster.run("t", R"({"count": "kept"})")["n"].as_integer(), 1);
  EXPECT_EQ(cluster.run("t", R"({"count": "lost"})")["n"].as_integer(), 0);
  const Document found =
      cluster.run("t", R"({"find": "kept", "filter": {"a": 2}, "hint": "a_1"})");
  EXPECT_EQ(first_of_batch(found)["_id"].as_integer(), 1) << shown(found);
  const Document listed = cluster.run("t", R"({"listCollections": 1, "filter": {"name": "lost"}})");
  EXPECT_TRUE(listed.view().find_path("cursor.firstBatch").get_document().empty());
  expect_consistent(cluster, "t", "kept");
}

TEST(ClusterReopening, a_retried_find_and_modify_returns_the_image_it_had_before) {
  TestCluster cluster;
  const char* command = R"({"findAndModify": "c", "query": {"_id": 1}, "update": {"$inc": {"n": 1}},
      "lsid": {"id": {"$uuid": "11111111-2222-4333-8444-777777777777"}},
      "txnNumber": {"$numberLong": "1"}})";
  cluster.run("t", R"({"insert": "c", "documents": [{"_id": 1, "n": 5}]})");
  const Document first = cluster.run("t", command);
  cluster.run("t", R"({"update": "c", "updates": [{"q": {}, "u": {"$set": {"n": 50}}}]})");
  cluster.reopen();
  const Document again = cluster.run("t", command);
  EXPECT_EQ(again.view().find_path("value.n").as_integer(), 5) << shown(again);
  EXPECT_EQ(again["retriedStmtId"].as_integer(), 0);
  EXPECT_TRUE(first["retriedStmtId"].is_missing());
  const Document found = cluster.run("t", R"({"find": "c"})");
  EXPECT_EQ(first_of_batch(found)["n"].as_integer(), 50);
}

TEST(ClusterConsistency, indexes_agree_with_documents_after_random_operations) {
  const char* given = std::getenv("RESTITCH_TEST_SEED");
  const auto seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                     : std::random_device{}();
  std::cout << "seed " << seed << std::endl;
  std::mt19937 random(seed);
  TestCluster cluster;
  cluster.run("t", R"({"createIndexes": "c", "indexes": [
    {"key": {"a": 1}, "name": "a_1"}, {"key": {"a": -1, "b.c": 1}, "name": "ab"},
    {"key": {"u": 1}, "name": "u_1", "unique": true, "sparse": true},
    {"key": {"b.c": "hashed"}, "name": "h"},
    {"key": {"b.c": 1}, "name": "p", "partialFilterExpression": {"a": {"$gt": 3}}}]})");
  const auto number = [&](int below) {
    return std::to_string(random() % static_cast<unsigned>(below));
  };
  const auto value = [&]() -> std::string {
    switch (random() % 7) {
      case 0:
        return "null";
      case 1:
        return "[" + number(5) + "," + number(5) + "]";
      case 2:
        return "\"s" + number(4) + "\"";
      case 3:
        return "{\"$numberDouble\": \"" + number(6) + ".0\"}";
      case 4:
        return "[]";
      case 5:
        return "{\"x\": " + number(3) + "}";
      default:
        return number(8);
    }
  };
  for (int round = 0; round < 400; ++round) {
    const std::string id = number(60);
    std::string command;
    switch (random() % 5) {
      case 0:
        command = R"({"insert": "c", "documents": [{"_id": )" + id + R"(, "a": )" + value() +
                  R"(, "u": )" + number(40) + "}]";
        break;
      case 1:
        command = R"({"update": "c", "updates": [{"q": {"_id": )" + id +
                  R"(}, "u": {"$set": {"a": )" + value() + R"(, "b": {"c": )" + number(6) +
                  "}}}, \"upsert\": true}]";
        break;
      case 2:
        command = R"({"update": "c", "updates": [{"q": {"a": )" + number(8) +
                  R"(}, "u": {"$set": {"u": )" + number(40) + "}}}]";
        break;
      case 3:
        command =
            R"({"update": "c", "updates": [{"q": {"a": {"$lt": 4}}, "u": {"$inc": {"b.c": 1}}, "multi": true}])";
        break;
      default:
        command = R"({"delete": "c", "deletes": [{"q": {"_id": )" + id + R"(}, "limit": 1}])";
        break;
    }
    const Document reply = cluster.run("t", command + R"(, "writeConcern": {"w": 1}})");
    EXPECT_TRUE(reply["ok"].truthy()) << shown(reply);
  }
  expect_consistent(cluster, "t", "c");
  cluster.reopen();
  expect_consistent(cluster, "t", "c");
}

TEST(ClusterPlans, index_and_collection_scans_give_the_same_documents) {
  const char* given = std::getenv("RESTITCH_TEST_SEED");
  const auto seed = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10))
                                     : std::random_device{}();
  std::cout << "seed " << seed << std::endl;
  std::mt19937 random(seed);
  TestCluster cluster;
  const auto pick = [&](std::initializer_list<const char*> texts) {
    return std::string(*(texts.begin() + random() % texts.size()));
  };
  const auto value = [&]() {
    return pick({"null", "1", "2", "3", "4", "{\"$numberDouble\": \"2.5\"}", "\"x\"", "\"xy\"",
                 "true", "[1, 3]", "[]", "[2, \"x\"]", "{\"c\": 1}", "[{\"c\": 1}, {\"c\": 3}]",
                 "[[1, 2]]", "{\"$date\": \"2020-01-01T00:00:00Z\"}",
                 "{\"$numberDouble\": \"NaN\"}", "[null, 2]"});
  };
  for (int at = 0; at < 150; ++at) {
    std::string document = R"({"_id": )" + std::to_string(at);
    if (random() % 5 != 0) document += R"(, "a": )" + value();
    if (random() % 5 != 0) document += R"(, "b": )" + pick({"1", "2", "3", "null", "\"x\""});
    const Document reply = cluster.run(
        "t", R"({"insert": "c", "writeConcern": {"w": 1}, "documents": [)" + document + "}]}");
    ASSERT_EQ(reply["n"].as_integer(), 1) << shown(reply);
  }
  cluster.run(
      "t",
      R"({"createIndexes": "c", "indexes": [{"key": {"a": 1}, "name": "a"}, {"key": {"a": -1, "b": 1}, "name": "ab"},
    {"key": {"b": 1, "a": 1}, "name": "ba"}, {"key": {"a.c": 1}, "name": "ac"}, {"key": {"b": -1}, "name": "b"}]})");
  const auto predicate = [&](const std::string& path) -> std::string {
    const std::string field = "\"" + path + "\": ";
    switch (random() % 10) {
      case 0:
        return field + value();
      case 1:
        return field + "{\"$gt\": " + value() + "}";
      case 2:
        return field + "{\"$gte\": " + value() + ", \"$lt\": " + value() + "}";
      case 3:
        return field + "{\"$in\": [" + value() + ", " + value() + "]}";
      case 4:
        return field + "{\"$ne\": " + value() + "}";
      case 5:
        return field + "{\"$exists\": " + pick({"true", "false"}) + "}";
      case 6:
        return field + "{\"$nin\": [" + value() + ", 2]}";
      case 7:
        return field + "{\"$elemMatch\": {\"$gte\": 2, \"$lt\": 4}}";
      case 8:
        return field + "{\"$not\": {\"$gt\": " + value() + "}}";
      default:
        return field + "{\"$regex\": \"^x\"}";
    }
  };
  for (int round = 0; round < 500; ++round) {
    const std::string path = pick({"a", "a.c"});
    std::string filter = "{" + predicate(path);
    if (random() % 2 == 0) filter += ", " + predicate("b");
    if (random() % 4 == 0)
      filter += ", \"$or\": [{" + predicate("a") + "}, {" + predicate("b") + "}]";
    filter += "}";
    const std::string sort = pick({"{\"_id\": 1}", "{\"b\": 1, \"_id\": 1}",
                                   "{\"b\": -1, \"_id\": 1}", "{\"a\": 1, \"_id\": 1}"});
    const std::string tail = R"(, "batchSize": 1000, "sort": )" + sort + "}";
    const Document planned = cluster.run("t", R"({"find": "c", "filter": )" + filter + tail);
    const Document scanned =
        cluster.run("t", R"({"find": "c", "hint": {"$natural": 1}, "filter": )" + filter + tail);
    if (!scanned["ok"].truthy()) {
      EXPECT_FALSE(planned["ok"].truthy()) << filter << shown(planned);
      continue;
    }
    ASSERT_EQ(planned, scanned) << filter << " " << sort << "\n"
                                << shown(
                                       cluster.run("t", R"({"explain": {"find": "c", "filter": )" +
                                                            filter + R"(, "sort": )" + sort +
                                                            R"(}, "verbosity": "queryPlanner"})"));
    for (const char* hint : {"a", "ab", "ba", "b"}) {
      const Document hinted = cluster.run("t", R"({"find": "c", "hint": ")" + std::string(hint) +
                                                   R"(", "filter": )" + filter + tail);
      ASSERT_EQ(hinted, scanned) << filter << " hint " << hint;
    }
    const Document counted = cluster.run("t", R"({"count": "c", "query": )" + filter + "}");
    EXPECT_EQ(counted["n"].as_integer(),
              static_cast<std::int64_t>(
                  scanned.view().find_path("cursor.firstBatch").get_document().count()))
        << filter;
  }
}

TEST(Client, a_transaction_is_run_again_after_a_conflict) {
  TestCluster cluster;
  cluster.run("t", R"({"insert": "c", "documents": [{"_id": 1, "n": 0}]})");
  const auto body = [&cluster](ClientTransaction& transaction) -> Task<int> {
    const Collection collection(*cluster, "t", "c");
    CallOptions options;
    options.transaction = &transaction;
    const Document filter = bson::make_document("_id", std::int32_t{1});
    RESTITCH_CO_TRY(auto found, co_await collection.find_one(filter, {}, options));
    const auto next = static_cast<std::int32_t>((*found)["n"].as_integer().value_or(0)) + 1;
    const Document change = bson::make_document("$set", bson::make_document("n", next));
    RESTITCH_CO_CHECK(co_await collection.update_one(filter, change.view(), {}, options));
    co_return next;
  };
  constexpr int kThreads = 4, kEach = 5;
  in_threads(kThreads, [&](int) {
    for (int at = 0; at < kEach; ++at) {
      auto done = TestCluster::wait(with_transaction(*cluster, body));
      EXPECT_TRUE(done) << done.error().message();
    }
  });
  const Collection collection(*cluster, "t", "c");
  auto found = TestCluster::wait(collection.find_one(Document()));
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((**found)["n"].as_integer(), kThreads * kEach);
}

TEST(Client, reads_all_batches_and_maps_errors) {
  TestCluster cluster;
  const Collection collection(*cluster, "t", "c");
  std::vector<Document> documents;
  for (std::int32_t at = 0; at < 250; ++at) documents.push_back(bson::make_document("_id", at));
  ASSERT_TRUE(TestCluster::wait(collection.insert_many(documents)));
  auto all = TestCluster::wait(collection.find(Document()));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 250U);
  auto count = TestCluster::wait(collection.count(json(R"({"_id": {"$lt": 10}})")));
  ASSERT_TRUE(count);
  EXPECT_EQ(*count, 10);
  auto again = TestCluster::wait(collection.insert_one(documents.front()));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::kDuplicateKey);
  EXPECT_EQ(again.error().mongo_code(), 11000);
  auto deleted = TestCluster::wait(collection.delete_many(Document()));
  ASSERT_TRUE(deleted);
  EXPECT_EQ(*deleted, 250);
  EXPECT_EQ(cluster->statistics().open_cursors, 0U);
}

}  // namespace
}  // namespace restitch::datasource::embedded
