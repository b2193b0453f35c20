#include "triggers/trigger_service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "datasource/embedded/test_cluster.h"
#include "runtime/run_and_wait.h"

namespace restitch::triggers {
namespace {

using datasource::embedded::TestCluster;
using std::chrono::milliseconds;

constexpr milliseconds kLease{900};

// The way of one node to the shared cluster, which can be cut.
class Line final : public datasource::DataSource {
 public:
  explicit Line(datasource::DataSource& source) : source_(source) {}

  Task<bson::Document> run(std::string_view database, bson::Document command,
                           datasource::Deadline deadline) override {
    if (is_cut_) co_return Error(ErrorCode::kSourceUnavailable, "the line is cut");
    auto reply = co_await source_.run(database, std::move(command), deadline);
    if (is_cut_) co_return Error(ErrorCode::kSourceUnavailable, "the line is cut");
    co_return reply;
  }
  datasource::Kind kind() const override { return datasource::Kind::kCluster; }
  bool has_transactions() const override { return true; }
  void cut() { is_cut_ = true; }

 private:
  datasource::DataSource& source_;
  std::atomic<bool> is_cut_{false};
};

// What functions were given, over all nodes.
struct Notes {
  std::mutex mutex;
  std::vector<std::int32_t> ids;
  std::vector<std::string> nodes;

  std::size_t count() {
    const std::lock_guard lock(mutex);
    return ids.size();
  }
  std::multiset<std::int32_t> all() {
    const std::lock_guard lock(mutex);
    return {ids.begin(), ids.end()};
  }
  std::string last_node() {
    const std::lock_guard lock(mutex);
    return nodes.empty() ? "" : nodes.back();
  }
};

class NotingFunctions final : public functions::FunctionService {
 public:
  NotingFunctions(Notes& notes, std::string node) : notes_(notes), node_(std::move(node)) {}

  Task<functions::CallOutcome> call(functions::CallRequest request) override {
    asio::steady_timer timer(co_await asio::this_coro::executor, milliseconds(1));
    co_await timer.async_wait(asio::use_awaitable);
    if (refusals_ > 0) {
      --refusals_;
      co_return Error(refusal_, "refused");
    }
    const auto id = request.arguments.view().find_path("0.documentKey._id").as_integer();
    const std::lock_guard lock(notes_.mutex);
    notes_.ids.push_back(static_cast<std::int32_t>(id.value_or(-1)));
    notes_.nodes.push_back(node_);
    co_return functions::CallOutcome();
  }
  Task<bson::Value> call_for_rule(std::string_view, bson::Document,
                                  const rules::EvaluationContext&) override {
    co_return Error(ErrorCode::kUnsupported, "no rules here");
  }
  std::vector<std::pair<std::string, std::string>> source_warnings() const override { return {}; }
  Task<std::vector<std::pair<std::string, std::string>>> warm() override {
    co_return std::vector<std::pair<std::string, std::string>>();
  }
  asio::awaitable<void> stop() override { co_return; }

  // The next calls fail.
  void refuse(int calls, ErrorCode code) {
    refusal_ = code;
    refusals_ = calls;
  }

 private:
  Notes& notes_;
  std::string node_;
  std::atomic<int> refusals_{0};
  ErrorCode refusal_ = ErrorCode::kInternal;
};

app::TriggerConfig on_inserts() {
  app::TriggerConfig trigger;
  trigger.name = "watcher";
  trigger.function = "note";
  trigger.source = "main";
  trigger.database = "shop";
  trigger.collection = "items";
  trigger.operation_types = {"INSERT"};
  return trigger;
}

// One server of several that share a state store.
class Node {
 public:
  Node(TestCluster& cluster, Notes& notes, std::string name, bson::ObjectId app_id)
      : line_(std::make_shared<Line>(*cluster)),
        threads_(1),
        hubs_(threads_),
        logs_(line_, threads_),
        functions_(std::make_shared<NotingFunctions>(notes, name)),
        app_id_(app_id) {
    threads_.start();
    TriggerServiceOptions options;
    options.node = std::move(name);
    options.lease_time = kLease;
    service_ = TriggerService::create(line_, hubs_, logs_, threads_, options);
    EXPECT_TRUE(wait(service_->prepare()));
  }
  ~Node() {
    end();
    threads_.stop();
  }

  void deploy(const app::TriggerConfig& trigger) {
    auto config = std::make_shared<app::Config>();
    config->triggers.push_back(trigger);
    auto app = std::make_shared<deployment::DeployedApp>();
    app->id = app_id_;
    app->config = config;
    app->functions = functions_;
    app->sources["main"] = line_;
    const Status deployed = wait(service_->deploy(std::move(app)));
    ASSERT_TRUE(deployed) << deployed.error().message();
  }
  void end() {
    if (std::exchange(is_over_, true)) return;
    auto& loop = threads_.context(0);
    asio::co_spawn(loop, service_->drain(milliseconds(2000)), asio::use_future).get();
    asio::co_spawn(loop, service_->stop(), asio::use_future).get();
    asio::co_spawn(loop, hubs_.stop(), asio::use_future).get();
    logs_.drain();
  }
  TriggerStatus status() {
    auto found = wait(service_->status(app_id_, "watcher"));
    EXPECT_TRUE(found) << found.error().message();
    return found ? *found : TriggerStatus();
  }
  template <typename T>
  Result<T> wait(Task<T> task) {
    return runtime::run_and_wait(threads_.context(0), std::move(task));
  }

  TriggerService& service() { return *service_; }
  NotingFunctions& functions() { return *functions_; }
  void cut() { line_->cut(); }

 private:
  std::shared_ptr<Line> line_;
  runtime::IoThreads threads_;
  datasource::ChangeHubs hubs_;
  deployment::LogStore logs_;
  std::shared_ptr<NotingFunctions> functions_;
  bson::ObjectId app_id_;
  std::unique_ptr<TriggerService> service_;
  bool is_over_ = false;
};

bool comes_true(const std::function<bool()>& condition) {
  for (int looks = 0; looks < 2000; ++looks) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

class TriggerServiceTest : public testing::Test {
 protected:
  void insert(std::int32_t first, std::int32_t count) {
    for (std::int32_t id = first; id < first + count; ++id) {
      bson::Builder command;
      command.append("insert", "items").open_array("documents");
      command.push_object().append("_id", id).close().close();
      cluster_.run("shop", std::move(command).finish());
    }
  }
  // Puts the trigger's place where its source has nothing any more.
  void lose_place() {
    cluster_.run("__restitch", R"({"update": "triggers", "updates": [{"q": {"name": "watcher"},
        "u": {"$set": {"token": {"_data": "00"}}, "$inc": {"generation": 1}}}]})");
  }

  TestCluster cluster_;
  Notes notes_;
  const bson::ObjectId app_id_ = bson::ObjectId::generate();
};

std::multiset<std::int32_t> range(std::int32_t first, std::int32_t count) {
  std::multiset<std::int32_t> out;
  for (std::int32_t id = first; id < first + count; ++id) out.insert(id);
  return out;
}

TEST_F(TriggerServiceTest, of_two_nodes_one_delivers_each_event_once) {
  Node first(cluster_, notes_, "first", app_id_);
  Node second(cluster_, notes_, "second", app_id_);
  first.deploy(on_inserts());
  second.deploy(on_inserts());
  insert(0, 100);
  ASSERT_TRUE(comes_true([&] { return notes_.count() >= 100; }));
  std::this_thread::sleep_for(2 * kLease);
  insert(100, 50);
  ASSERT_TRUE(comes_true([&] { return notes_.count() >= 150; }));
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(notes_.all(), range(0, 150));
  EXPECT_FALSE(first.status().node.empty());
}

TEST_F(TriggerServiceTest, a_node_that_leaves_hands_over_at_once) {
  Node first(cluster_, notes_, "first", app_id_);
  first.deploy(on_inserts());
  insert(0, 20);
  ASSERT_TRUE(comes_true([&] { return notes_.count() >= 20; }));
  Node second(cluster_, notes_, "second", app_id_);
  second.deploy(on_inserts());
  first.end();
  insert(20, 20);
  ASSERT_TRUE(comes_true([&] { return notes_.count() >= 40; }));
  EXPECT_EQ(notes_.all(), range(0, 40));
  EXPECT_EQ(notes_.last_node(), "second");
}

TEST_F(TriggerServiceTest, another_node_takes_over_from_one_that_is_cut_off) {
  Node first(cluster_, notes_, "first", app_id_);
  first.deploy(on_inserts());
  insert(0, 20);
  ASSERT_TRUE(comes_true([&] { return notes_.count() >= 20; }));
  Node second(cluster_, notes_, "second", app_id_);
  second.deploy(on_inserts());
  first.cut();
  insert(20, 50);
  ASSERT_TRUE(comes_true([&] { return notes_.all().count(69) > 0; }));
  const auto all = notes_.all();
  for (std::int32_t id = 0; id < 70; ++id) EXPECT_GE(all.count(id), 1U) << id;
  EXPECT_EQ(notes_.last_node(), "second");
}

TEST_F(TriggerServiceTest, a_call_that_could_not_begin_is_tried_until_it_does) {
  Node node(cluster_, notes_, "node", app_id_);
  node.deploy(on_inserts());
  node.functions().refuse(5, ErrorCode::kTooManyRequests);
  insert(0, 3);
  ASSERT_TRUE(comes_true([&] { return notes_.count() >= 3; }));
  EXPECT_EQ(notes_.all(), range(0, 3));
  ASSERT_TRUE(comes_true([&] { return node.status().delivered == 3; }));
  EXPECT_EQ(node.status().failed, 0);
}

TEST_F(TriggerServiceTest, an_event_whose_worker_dies_is_given_again_three_times) {
  Node node(cluster_, notes_, "node", app_id_);
  node.deploy(on_inserts());
  node.functions().refuse(2, ErrorCode::kFunctionInterrupted);
  insert(0, 1);
  ASSERT_TRUE(comes_true([&] { return notes_.count() >= 1; }));
  node.functions().refuse(3, ErrorCode::kFunctionInterrupted);
  insert(1, 2);
  ASSERT_TRUE(comes_true([&] { return node.status().delivered == 3; }));
  EXPECT_EQ(node.status().failed, 1);
  EXPECT_EQ(notes_.all(), (std::multiset<std::int32_t>{0, 2}));
}

TEST_F(TriggerServiceTest, failed_events_are_kept_and_can_be_replayed) {
  Node node(cluster_, notes_, "node", app_id_);
  node.deploy(on_inserts());
  node.functions().refuse(2, ErrorCode::kFunctionExecution);
  insert(0, 3);
  ASSERT_TRUE(comes_true([&] { return node.status().delivered == 3; }));
  auto letters = node.wait(node.service().dead_letters(app_id_, "watcher", 10));
  ASSERT_TRUE(letters);
  ASSERT_EQ(letters->size(), 2U);
  EXPECT_EQ(letters->back().error, "refused");
  EXPECT_EQ(letters->back().event.view().find_path("documentKey._id").as_integer(), 0);
  EXPECT_EQ(node.status().dead_letters, 2);

  node.functions().refuse(1, ErrorCode::kFunctionExecution);
  auto one = node.wait(node.service().replay(app_id_, "watcher", letters->back().id));
  ASSERT_TRUE(one);
  EXPECT_EQ(one->failed, 1);
  auto all = node.wait(node.service().replay(app_id_, "watcher", std::nullopt));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->succeeded, 2);
  EXPECT_FALSE(all->has_more);
  EXPECT_EQ(notes_.all(), range(0, 3));
  EXPECT_EQ(node.status().dead_letters, 0);
  const auto gone = node.wait(node.service().replay(app_id_, "watcher", letters->back().id));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), ErrorCode::kNotFound);
}

TEST_F(TriggerServiceTest, a_paused_trigger_goes_on_where_it_was_or_with_what_is_new) {
  Node node(cluster_, notes_, "node", app_id_);
  node.deploy(on_inserts());
  insert(0, 5);
  ASSERT_TRUE(comes_true([&] { return node.status().delivered == 5; }));
  ASSERT_TRUE(node.wait(node.service().pause(app_id_, "watcher")));
  EXPECT_EQ(node.status().state, TriggerState::kPaused);
  std::this_thread::sleep_for(milliseconds(100));
  insert(5, 5);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(notes_.count(), 5U);
  node.deploy(on_inserts());  // a deployment does not overrule the administrator
  EXPECT_EQ(node.status().state, TriggerState::kPaused);
  ASSERT_TRUE(node.wait(node.service().resume(app_id_, "watcher", false)));
  ASSERT_TRUE(comes_true([&] { return notes_.count() >= 10; }));

  ASSERT_TRUE(node.wait(node.service().pause(app_id_, "watcher")));
  std::this_thread::sleep_for(milliseconds(100));
  insert(10, 5);
  ASSERT_TRUE(node.wait(node.service().resume(app_id_, "watcher", true)));
  insert(15, 5);
  ASSERT_TRUE(comes_true([&] { return notes_.all().count(19) > 0; }));
  auto expected = range(0, 10);
  expected.merge(range(15, 5));
  EXPECT_EQ(notes_.all(), expected);
}

TEST_F(TriggerServiceTest, a_trigger_whose_place_is_gone_is_suspended_with_the_reason) {
  Node node(cluster_, notes_, "node", app_id_);
  node.deploy(on_inserts());
  insert(0, 1);
  ASSERT_TRUE(comes_true([&] { return node.status().delivered == 1; }));
  lose_place();
  ASSERT_TRUE(comes_true([&] { return node.status().state == TriggerState::kSuspended; }));
  EXPECT_FALSE(node.status().reason.empty());
  insert(1, 1);
  ASSERT_TRUE(node.wait(node.service().resume(app_id_, "watcher", true)));
  insert(2, 1);
  ASSERT_TRUE(comes_true([&] { return notes_.all().count(2) > 0; }));
  EXPECT_EQ(notes_.all(), (std::multiset<std::int32_t>{0, 2}));
}

TEST_F(TriggerServiceTest, one_that_tolerates_it_goes_on_and_reports_the_gap) {
  Node node(cluster_, notes_, "node", app_id_);
  app::TriggerConfig tolerant = on_inserts();
  tolerant.tolerate_resume_errors = true;
  node.deploy(tolerant);
  insert(0, 1);
  ASSERT_TRUE(comes_true([&] { return node.status().delivered == 1; }));
  lose_place();
  ASSERT_TRUE(comes_true([&] { return node.status().gap.has_value(); }));
  const Gap gap = *node.status().gap;
  EXPECT_TRUE(gap.from.has_value());
  EXPECT_FALSE(gap.reason.empty());
  insert(1, 1);
  ASSERT_TRUE(comes_true([&] { return notes_.all().count(1) > 0; }));
  EXPECT_EQ(node.status().state, TriggerState::kRunning);
}

TEST_F(TriggerServiceTest, a_trigger_of_an_app_that_is_removed_is_forgotten) {
  Node node(cluster_, notes_, "node", app_id_);
  node.deploy(on_inserts());
  ASSERT_TRUE(node.wait(node.service().remove_app(app_id_)));
  auto left = node.wait(node.service().list(app_id_));
  ASSERT_TRUE(left);
  EXPECT_TRUE(left->empty());
  insert(0, 1);
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(notes_.count(), 0U);
}

}  // namespace
}  // namespace restitch::triggers
