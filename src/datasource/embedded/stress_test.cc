#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <random>
#include <set>
#include <thread>

#include "base/encoding.h"
#include "datasource/embedded/test_cluster.h"

// Everything at once: writers, readers with cursors, transactions, index builds, collections that
// come and go, expiry, statistics. Meant for the thread sanitizer; in the end every collection must
// be valid. RESTITCH_STRESS_SECONDS makes it longer.
namespace restitch::datasource::embedded {
namespace {

using bson::Document;

constexpr int kDocuments = 300;

// Answers that commands may give when others change the same things.
const std::set<std::int64_t> kExpected = {
    26,     // NamespaceNotFound
    27,     // IndexNotFound
    43,     // CursorNotFound
    48,     // NamespaceExists
    85,     // IndexOptionsConflict
    86,     // IndexKeySpecsConflict
    112,    // WriteConflict
    117,    // ConflictingOperationInProgress
    175,    // QueryPlanKilled
    237,    // CursorKilled
    246,    // SnapshotUnavailable
    251,    // NoSuchTransaction
    276,    // IndexBuildAborted
    11000,  // DuplicateKey
};

// Small memtables and expiry every second.
ClusterOptions stress_options() {
  ClusterOptions options;
  options.write_buffer_bytes = 4U << 20U;
  options.expiry_interval = std::chrono::seconds(1);
  return options;
}

class Worker {
 public:
  Worker(TestCluster& cluster, std::uint32_t seed) : cluster_(cluster), random_(seed) {
    std::string bytes(16, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random_());
    session_ = to_base64(bytes);
  }

  int below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }
  std::string some(int limit) { return std::to_string(below(limit)); }

  Document run(std::string_view database, const std::string& command) {
    Document reply = cluster_.run(database, command);
    ++commands_;
    if (reply["ok"].as_double() != 1.0 &&
        !kExpected.contains(reply["code"].as_integer().value_or(0))) {
      ADD_FAILURE() << command << "\n" << shown(reply);
    }
    return reply;
  }
  bool succeeds(const std::string& command) { return run("s", command)["ok"].as_double() == 1.0; }

  std::uint64_t commands() const { return commands_; }

  void write() {
    switch (below(5)) {
      case 0:
        run("s",
            R"({"insert": "rows", "ordered": false, "writeConcern": {"w": 1}, "documents": [{"_id": )" +
                some(kDocuments) + R"(, "a": )" + some(50) + R"(, "b": [1, )" + some(9) +
                R"(]}, {"a": 1}]})");
        break;
      case 1:
        run("s", R"({"delete": "rows", "writeConcern": {"w": 1}, "deletes": [{"q": {"a": )" +
                     some(50) + R"(}, "limit": )" + some(2) + "}]}");
        break;
      case 2:
        run("s", R"({"findAndModify": "rows", "query": {"_id": )" + some(kDocuments) +
                     R"(}, "update": {"$inc": {"n": 1}, "$set": {"b": [)" + some(9) +
                     R"(]}}, "upsert": true})");
        break;
      case 3:
        run("s", R"({"update": "rows", "updates": [{"q": {"a": {"$lt": )" + some(5) +
                     R"(}}, "u": {"$set": {"a": )" + some(50) + R"(}}, "multi": true}]})");
        break;
      default:
        run("s", R"({"update": "rows", "writeConcern": {"w": 1}, "updates": [{"q": {"_id": )" +
                     some(kDocuments) +
                     R"(}, "u": {"$inc": {"a": 1}}}], "lsid": {"id": {"$binary": {"base64": ")" +
                     session_ + R"(", "subType": "04"}}}, "txnNumber": {"$numberLong": ")" +
                     std::to_string(++number_) + "\"}}");
    }
  }

  void read() {
    static const char* kFilters[] = {R"({"a": {"$gt": 20}})", R"({"b": 1})",
                                     R"({"a": 3, "b": {"$lt": 5}})", "{}"};
    const std::string filter = kFilters[below(4)];
    const Document reply = run(
        "s", R"({"find": "rows", "filter": )" + filter + R"(, "sort": {"a": 1}, "batchSize": 5})");
    auto cursor = reply["cursor"].as_object();
    std::int64_t id = cursor ? (*cursor)["id"].as_integer().value_or(0) : 0;
    for (int batch = 0; id != 0 && batch < 3; ++batch) {
      const Document more = run("s", R"({"getMore": {"$numberLong": ")" + std::to_string(id) +
                                         R"("}, "collection": "rows", "batchSize": 10})");
      const auto next = more["cursor"].as_object();
      id = next ? (*next)["id"].as_integer().value_or(0) : 0;
    }
    if (id != 0) {
      run("s", R"({"killCursors": "rows", "cursors": [{"$numberLong": ")" + std::to_string(id) +
                   "\"}]}");
    }
    run("s", R"({"aggregate": "rows", "cursor": {}, "pipeline": [{"$match": )" + filter +
                 R"(}, {"$group": {"_id": "$a", "n": {"$sum": 1}}}, {"$limit": 5}]})");
  }

  void transact() {
    const std::string session =
        R"("lsid": {"id": {"$binary": {"base64": ")" + session_ +
        R"(", "subType": "04"}}}, "autocommit": false, "txnNumber": {"$numberLong": ")" +
        std::to_string(++number_) + "\"}";
    const std::string source = some(10), target = some(10), amount = some(9);
    const auto move = [&](const std::string& account, const std::string& sign,
                          const std::string& more) {
      return succeeds(R"({"update": "accounts", "updates": [{"q": {"_id": )" + account +
                      R"(}, "u": {"$inc": {"balance": )" + sign + amount + "}}}], " + more +
                      session + "}");
    };
    if (!move(source, "-", R"("startTransaction": true, )")) return;
    if (!succeeds(R"({"find": "accounts", "filter": {"balance": {"$gt": 0}}, )" + session + "}"))
      return;
    if (!move(target, "", "")) return;
    const char* end = below(5) == 0 ? "abortTransaction" : "commitTransaction";
    run("admin", R"({")" + std::string(end) + R"(": 1, )" + session + "}");
  }

  void change_indexes() {
    static const char* kIndexes[] = {R"({"key": {"a": 1}, "name": "a_1"})",
                                     R"({"key": {"b": 1}, "name": "b_1"})",
                                     R"({"key": {"a": -1, "b": 1}, "name": "a_-1_b_1"})"};
    static const char* kNames[] = {"a_1", "b_1", "a_-1_b_1"};
    const int index = below(3);
    run("s", R"({"createIndexes": "rows", "indexes": [)" + std::string(kIndexes[index]) + "]}");
    if (below(2) == 0)
      run("s", R"({"dropIndexes": "rows", "index": ")" + std::string(kNames[below(3)]) + "\"}");
  }

  void change_collections() {
    const std::string name = "passing" + some(3), other = "passing" + some(3);
    run("s", R"({"insert": ")" + name +
                 R"(", "writeConcern": {"w": 1}, "documents": [{"x": 1}, {"x": 2}]})");
    run("s",
        R"({"createIndexes": ")" + name + R"(", "indexes": [{"key": {"x": 1}, "name": "x_1"}]})");
    if (name != other) {
      run("admin", R"({"renameCollection": "s.)" + name + R"(", "to": "s.)" + other +
                       R"(", "dropTarget": true})");
    }
    if (below(2) == 0) run("s", R"({"drop": ")" + other + "\"}");
    if (below(20) == 0) run("passing", R"({"insert": "c", "documents": [{}]})");
    if (below(20) == 0) run("passing", R"({"dropDatabase": 1})");
  }

  void expire() {
    const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    run("s",
        R"({"insert": "expiring", "writeConcern": {"w": 1}, "documents": [{"at": {"$date": {"$numberLong": ")" +
            std::to_string(now.count()) + R"("}}}]})");
  }

  void look() {
    static const char* kCommands[] = {
        R"({"serverStatus": 1})",     R"({"dbStats": 1})",
        R"({"collStats": "rows"})",   R"({"listCollections": 1})",
        R"({"listIndexes": "rows"})", R"({"validate": "rows"})",
        R"({"count": "rows"})",       R"({"explain": {"find": "rows", "filter": {"a": 3}}})"};
    run("s", kCommands[below(8)]);
    run("admin", R"({"listDatabases": 1})");
  }

 private:
  TestCluster& cluster_;
  std::minstd_rand random_;
  std::string session_;  // its id, base64
  std::int64_t number_ = 0;
  std::uint64_t commands_ = 0;
};

using Step = void (Worker::*)();

std::chrono::milliseconds duration() {
  const char* seconds = std::getenv("RESTITCH_STRESS_SECONDS");
  return std::chrono::milliseconds(seconds != nullptr ? 1000 * std::atoi(seconds) : 1500);
}

void expect_valid(TestCluster& cluster, const std::string& collection) {
  const Document report =
      cluster.run("s", R"({"validate": ")" + collection + R"(", "full": true})");
  EXPECT_TRUE(report["valid"].truthy()) << shown(report);
  const Document counted = cluster.run("s", R"({"count": ")" + collection + "\"}");
  EXPECT_EQ(counted["n"].as_integer(), report["nrecords"].as_integer()) << collection;
}

TEST(ClusterStress, everything_at_once_keeps_documents_indexes_and_totals_right) {
  TestCluster cluster(stress_options());
  cluster.run("s", R"({"createIndexes": "expiring", "indexes": [{"key": {"at": 1}, "name": "at_1",
                       "expireAfterSeconds": 0}]})");
  for (int account = 0; account < 10; ++account) {
    cluster.run("s", R"({"insert": "accounts", "documents": [{"_id": )" + std::to_string(account) +
                         R"(, "balance": 100}]})");
  }
  const char* given = std::getenv("RESTITCH_TEST_SEED");
  const std::uint32_t seed =
      given != nullptr ? static_cast<std::uint32_t>(std::atoll(given)) : std::random_device{}();
  std::printf("seed %u\n", seed);
  const Step steps[] = {
      &Worker::write,    &Worker::write,    &Worker::read,           &Worker::read,
      &Worker::transact, &Worker::transact, &Worker::change_indexes, &Worker::change_collections,
      &Worker::expire,   &Worker::look};
  std::atomic<bool> is_over{false};
  std::atomic<std::uint64_t> commands{0};
  std::vector<std::thread> threads;
  for (const Step step : steps) {
    threads.emplace_back([&, step, own = seed + static_cast<std::uint32_t>(threads.size())]() {
      Worker worker(cluster, own);
      while (!is_over.load()) (worker.*step)();
      commands += worker.commands();
    });
  }
  std::this_thread::sleep_for(duration());
  is_over.store(true);
  for (std::thread& thread : threads) thread.join();
  std::printf("%llu commands\n", static_cast<unsigned long long>(commands.load()));
  EXPECT_GT(commands.load(), 100U);

  const Document total = cluster.run("s", R"({"aggregate": "accounts", "cursor": {}, "pipeline": [
      {"$group": {"_id": null, "total": {"$sum": "$balance"}}}]})");
  const bson::View batch = total.view().find_path("cursor.firstBatch").get_document();
  ASSERT_EQ(batch.count(), 1U);
  EXPECT_EQ(batch.begin()->value.get_document()["total"].as_integer(), 1000) << shown(total);
  cluster.reopen();
  for (const char* collection : {"rows", "accounts", "expiring"}) expect_valid(cluster, collection);
}

}  // namespace
}  // namespace restitch::datasource::embedded
