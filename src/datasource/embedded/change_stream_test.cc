// What the behaviour cases of change streams cannot express: time, concurrency, restarts.

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "datasource/client.h"
#include "datasource/embedded/test_cluster.h"
#include "datasource/watch.h"

namespace restitch::datasource::embedded {
namespace {

using bson::Builder;
using bson::Document;
using bson::View;
using Clock = std::chrono::steady_clock;

Document aggregate(std::string_view collection, View stage = {}, View more = {}) {
  Builder command;
  command.append("aggregate", collection);
  command.open_array("pipeline").push_object().append("$changeStream", stage).close();
  for (const bson::Element& element : more) command.push(element.value);
  command.close();
  command.open_object("cursor").close();
  return std::move(command).finish();
}

Document get_more(std::string_view collection, std::int64_t id, std::int64_t wait) {
  Builder command;
  command.append("getMore", id).append("collection", collection).append("maxTimeMS", wait);
  return std::move(command).finish();
}

Document insert_of(std::string_view collection, std::int32_t id) {
  Builder command;
  command.append("insert", collection);
  command.open_array("documents").push_object().append("_id", id).close().close();
  return std::move(command).finish();
}

std::int64_t cursor_id(View reply) {
  return reply["cursor"].as_object().value_or(View())["id"].as_integer().value_or(0);
}

std::vector<Document> events_of(View reply, std::string_view batch = "nextBatch") {
  std::vector<Document> events;
  const View cursor = reply["cursor"].as_object().value_or(View());
  for (const bson::Element& element : cursor[batch].as_array().value_or(View())) {
    events.emplace_back(element.value.get_document());
  }
  return events;
}

std::int64_t key_of(View event) {
  return event["documentKey"].as_object().value_or(View())["_id"].as_integer().value_or(-1);
}

TEST(ChangeStreams, a_stream_resumes_over_a_restart) {
  TestCluster cluster;
  Document reply = cluster.run("d", aggregate("c"));
  const std::int64_t id = cursor_id(reply);
  cluster.run("d", insert_of("c", 1));
  cluster.run("d", insert_of("c", 2));
  reply = cluster.run("d", get_more("c", id, 1000));
  const auto events = events_of(reply);
  ASSERT_EQ(events.size(), 2U) << shown(reply);
  const Document after_first = bson::make_document("resumeAfter", events[0]["_id"]);
  const Document after_batch =
      bson::make_document("resumeAfter", reply["cursor"].get_document()["postBatchResumeToken"]);

  cluster.reopen();
  cluster.run("d", insert_of("c", 3));
  const auto rest = events_of(cluster.run("d", aggregate("c", after_first)), "firstBatch");
  ASSERT_EQ(rest.size(), 2U);
  EXPECT_EQ(key_of(rest[0]), 2);
  EXPECT_EQ(rest[0], events[1]);
  EXPECT_EQ(key_of(rest[1]), 3);
  const auto last = events_of(cluster.run("d", aggregate("c", after_batch)), "firstBatch");
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(key_of(last[0]), 3);
}

TEST(ChangeStreams, every_stream_sees_every_commit_of_concurrent_writers_once_and_in_order) {
  constexpr int kWriters = 4, kDocuments = 150, kStreams = 6;
  TestCluster cluster;
  std::vector<std::int64_t> ids;
  for (int stream = 0; stream < kStreams; ++stream) {
    ids.push_back(cursor_id(cluster.run("d", aggregate("c"))));
  }
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kWriters; ++writer) {
    threads.emplace_back([&cluster, writer] {
      for (int at = 0; at < kDocuments; ++at) {
        cluster.run("d", insert_of("c", writer * 1000 + at));
        cluster.run("d", insert_of("other", writer * 1000 + at));
      }
    });
  }
  std::vector<std::vector<std::int64_t>> seen(kStreams);
  std::vector<std::vector<std::string>> tokens(kStreams);
  for (int stream = 0; stream < kStreams; ++stream) {
    threads.emplace_back([&, stream] {
      const auto give_up = Clock::now() + std::chrono::seconds(60);
      while (seen[stream].size() < kWriters * kDocuments && Clock::now() < give_up) {
        for (const Document& event : events_of(cluster.run("d", get_more("c", ids[stream], 200)))) {
          seen[stream].push_back(key_of(event));
          tokens[stream].emplace_back(event["_id"].get_document()["_data"].get_string());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::set<std::int64_t> distinct(seen[0].begin(), seen[0].end());
  EXPECT_EQ(distinct.size(), std::size_t{kWriters * kDocuments});
  EXPECT_EQ(seen[0].size(), distinct.size());
  EXPECT_TRUE(std::is_sorted(tokens[0].begin(), tokens[0].end()));
  for (int stream = 1; stream < kStreams; ++stream) EXPECT_EQ(seen[stream], seen[0]);
  // Each writer's own documents come in the order in which it wrote them.
  std::map<std::int64_t, std::int64_t> last;
  for (const std::int64_t key : seen[0]) {
    EXPECT_LT(last.contains(key / 1000) ? last[key / 1000] : -1, key);
    last[key / 1000] = key;
  }
}

TEST(ChangeStreams, a_place_that_the_log_has_lost_is_an_error) {
  ClusterOptions options;
  options.change_log_max_bytes = 64 << 10;
  TestCluster cluster(options);
  Document reply = cluster.run("d", aggregate("c"));
  const Document start =
      bson::make_document("resumeAfter", reply["cursor"].get_document()["postBatchResumeToken"]);
  const std::int64_t id = cursor_id(reply);
  Builder filler;
  filler.append("insert", "c").open_array("documents");
  for (int at = 0; at < 50; ++at) {
    filler.push_object().append("text", std::string(4000, 'x')).close();
  }
  filler.close();
  const Document fill = std::move(filler).finish();
  const auto give_up = Clock::now() + std::chrono::seconds(20);
  do {
    cluster.run("d", fill);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    reply = cluster.run("d", aggregate("c", start));
  } while (reply["ok"].truthy() && Clock::now() < give_up);
  EXPECT_EQ(reply["code"].as_integer(), 286) << shown(reply);
  EXPECT_EQ(shown(reply["errorLabels"].get_document()), R"({"0":"NonResumableChangeStreamError"})");
  // The stream that was open all the time still has what is in memory, or fails likewise: nothing
  // is skipped silently.
  reply = cluster.run("d", get_more("c", id, 100));
  EXPECT_TRUE(reply["code"].as_integer() == 286 || !events_of(reply).empty()) << shown(reply);
}

// Runs a command on a thread of its own.
std::future<Document> in_background(TestCluster& cluster, Document command) {
  return std::async(std::launch::async, [&cluster, command = std::move(command)]() mutable {
    return cluster.run("d", std::move(command));
  });
}

TEST(ChangeStreams, a_waiting_stream_is_woken_by_a_change_and_by_its_end) {
  TestCluster cluster;
  constexpr std::int64_t kLong = 60'000;
  std::int64_t id = cursor_id(cluster.run("d", aggregate("c")));
  const auto start = Clock::now();
  auto waiting = in_background(cluster, get_more("c", id, kLong));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  cluster.run("d", insert_of("c", 1));
  EXPECT_EQ(events_of(waiting.get()).size(), 1U);

  waiting = in_background(cluster, get_more("c", id, kLong));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  Builder kill;
  kill.append("killCursors", "c").open_array("cursors").push(id).close();
  cluster.run("d", std::move(kill).finish());
  EXPECT_EQ(waiting.get()["code"].as_integer(), 237);

  Builder lsid;
  lsid.open_object("lsid").append_binary("id", 4, std::string(16, 'a')).close();
  const Document session = std::move(lsid).finish();
  Builder open;
  open.append_all(aggregate("c")).append_all(session);
  id = cursor_id(cluster.run("d", std::move(open).finish()));
  Builder more;
  more.append_all(get_more("c", id, kLong)).append_all(session);
  waiting = in_background(cluster, std::move(more).finish());
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  Builder end;
  end.open_array("endSessions").push(session["lsid"]).close();
  cluster.run("admin", std::move(end).finish());
  EXPECT_EQ(waiting.get()["code"].as_integer(), 237);

  id = cursor_id(cluster.run("d", aggregate("c")));
  waiting = in_background(cluster, get_more("c", id, kLong));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  cluster->stop_waiting();
  const Document reply = waiting.get();
  EXPECT_EQ(reply["code"].as_integer(), 11600);
  EXPECT_LT(Clock::now() - start, std::chrono::seconds(20));
}

asio::awaitable<void> wait_once(Cluster& cluster, std::string collection, std::int64_t id,
                                std::atomic<int>& with_events, std::atomic<int>& done) {
  auto reply = co_await cluster.run("d", get_more(collection, id, 6000));
  if (reply && !events_of(*reply).empty()) ++with_events;
  ++done;
}

TEST(ChangeStreams, thousands_of_streams_wait_without_threads_and_only_the_concerned_are_woken) {
  constexpr int kStreams = 3000, kCollections = 300;
  TestCluster cluster;
  std::vector<std::pair<std::string, std::int64_t>> streams;
  for (int at = 0; at < kStreams; ++at) {
    std::string name = "c" + std::to_string(at % kCollections);
    const std::int64_t id = cursor_id(cluster.run("d", aggregate(name)));
    streams.emplace_back(std::move(name), id);
  }
  asio::io_context loop;
  std::atomic<int> with_events{0}, done{0};
  for (const auto& [name, id] : streams) {
    asio::co_spawn(loop, wait_once(*cluster, name, id, with_events, done), asio::detached);
  }
  std::thread runner([&] { loop.run(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  EXPECT_EQ(done.load(), 0);
  const std::uint64_t pooled = cluster->statistics().pooled_reads;
  for (int at = 0; at < 50; ++at) cluster.run("d", insert_of("elsewhere", at));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_EQ(done.load(), 0);
  EXPECT_EQ(cluster->statistics().pooled_reads, pooled);
  cluster.run("d", insert_of("c7", 1));
  const auto give_up = Clock::now() + std::chrono::seconds(3);
  while (done.load() < kStreams / kCollections && Clock::now() < give_up) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(done.load(), kStreams / kCollections);
  EXPECT_EQ(with_events.load(), kStreams / kCollections);
  runner.join();
  EXPECT_EQ(done.load(), kStreams);
  EXPECT_EQ(with_events.load(), kStreams / kCollections);
}

TEST(ChangeStreams, an_event_that_is_too_large_is_an_error_or_split) {
  TestCluster cluster;
  cluster.run("d", R"({"create": "c", "changeStreamPreAndPostImages": {"enabled": true}})");
  Builder insert;
  insert.append("insert", "c").open_array("documents").push_object();
  insert.append("_id", std::int32_t{1}).append("a", std::string(9 << 20, 'x'));
  insert.close().close();
  cluster.run("d", std::move(insert).finish());
  auto stage = bson::parse_json_document(
      R"({"fullDocument": "required", "fullDocumentBeforeChange": "required"})");
  auto split = bson::parse_json(R"([{"$changeStreamSplitLargeEvent": {}}])");
  const std::int64_t whole = cursor_id(cluster.run("d", aggregate("c", *stage)));
  const std::int64_t cut =
      cursor_id(cluster.run("d", aggregate("c", *stage, split->view().get_document())));
  cluster.run("d", R"({"update": "c", "updates": [{"q": {}, "u": {"$set": {"b": 1}}}]})");
  EXPECT_EQ(cluster.run("d", get_more("c", whole, 1000))["code"].as_integer(), 10334);
  std::vector<Document> fragments;
  Document reply = cluster.run("d", get_more("c", cut, 1000));
  fragments = events_of(reply);
  while (fragments.size() < 2) {
    reply = cluster.run("d", get_more("c", cut, 1000));
    const auto more = events_of(reply);
    ASSERT_FALSE(more.empty());
    fragments.insert(fragments.end(), more.begin(), more.end());
  }
  ASSERT_EQ(fragments.size(), 2U);
  EXPECT_EQ(shown(fragments[0]["splitEvent"].get_document()), R"({"fragment":1,"of":2})");
  EXPECT_EQ(shown(fragments[1]["splitEvent"].get_document()), R"({"fragment":2,"of":2})");
  EXPECT_TRUE(fragments[0].view().contains("operationType"));
  EXPECT_FALSE(fragments[1].view().contains("operationType"));
  EXPECT_NE(fragments[0].view().contains("fullDocument"),
            fragments[1].view().contains("fullDocument"));
  Builder resume;
  resume.append_all(*stage).append("resumeAfter", fragments[0]["_id"]);
  const auto rest = events_of(
      cluster.run("d", aggregate("c", std::move(resume).finish(), split->view().get_document())),
      "firstBatch");
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_TRUE(rest[0] == fragments[1]);
}

Task<std::vector<std::int64_t>> watch_and_lose_cursor(DataSource& source, TestCluster& cluster) {
  Watch watch(source, "d", "c");
  RESTITCH_CO_CHECK(co_await watch.open());
  std::vector<std::int64_t> keys;
  for (int at = 0; at < 6; ++at) {
    cluster.run("d", insert_of("c", at));
    // Every cursor is lost; the stream opens another.
    if (at % 2 == 1) cluster.run("admin", R"({"killAllSessions": []})");
    RESTITCH_CO_TRY(const auto events, co_await watch.next_batch());
    for (const Document& event : events) keys.push_back(key_of(event));
  }
  RESTITCH_CO_CHECK(co_await watch.close());
  auto after = co_await watch.next_batch();
  if (after) keys.push_back(-1);
  co_return keys;
}

TEST(Watch, goes_on_by_itself_when_its_cursor_is_lost) {
  TestCluster cluster;
  auto keys = TestCluster::wait(watch_and_lose_cursor(*cluster, cluster));
  ASSERT_TRUE(keys) << keys.error().message();
  EXPECT_EQ(*keys, (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5}));
}

TEST(TailableCursors, concurrent_inserts_are_all_followed_in_order) {
  TestCluster cluster;
  cluster.run("d", R"({"create": "c", "capped": true, "size": 10000000})");
  cluster.run("d", insert_of("c", 0));
  Document reply =
      cluster.run("d", R"({"find": "c", "tailable": true, "awaitData": true, "batchSize": 1})");
  const std::int64_t id = cursor_id(reply);
  ASSERT_NE(id, 0);
  constexpr int kWriters = 4, kDocuments = 200;
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&cluster, writer] {
      for (int at = 0; at < kDocuments; ++at) {
        cluster.run("d", insert_of("c", 1 + writer * 1000 + at));
      }
    });
  }
  std::vector<std::int64_t> seen;
  const auto give_up = Clock::now() + std::chrono::seconds(60);
  while (seen.size() < kWriters * kDocuments && Clock::now() < give_up) {
    for (const Document& document : events_of(cluster.run("d", get_more("c", id, 200)))) {
      seen.push_back(*document["_id"].as_integer());
    }
  }
  for (std::thread& thread : writers) thread.join();
  std::vector<std::int64_t> stored;
  const Document all = cluster.run("d", R"({"find": "c", "batchSize": 100000})");
  for (const Document& document : events_of(all, "firstBatch")) {
    stored.push_back(*document["_id"].as_integer());
  }
  stored.erase(stored.begin());
  EXPECT_EQ(seen, stored);
}

}  // namespace
}  // namespace restitch::datasource::embedded
