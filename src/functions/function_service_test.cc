#include <gtest/gtest.h>

#include <chrono>

#include "functions/function_test_support.h"

namespace restitch::functions {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

milliseconds since(steady_clock::time_point begin) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - begin);
}

const char* const kLoop = "exports = () => { for (;;) {} };";

TEST(FunctionService, call_runs_a_function_and_reports_its_run_time) {
  ServiceHarness harness(app_of({function("sum", "exports = (a, b) => a + b;")}));
  const auto begin = steady_clock::now();
  const Outcome first = harness.call("sum", "[1, 2]");
  std::printf("cold start and first call: %lld ms\n", static_cast<long long>(since(begin).count()));
  ASSERT_FALSE(first.error);
  EXPECT_EQ(json(first.value.value), R"({"$numberInt":"3"})");
  EXPECT_GT(first.value.run_time.count(), 0);
}

TEST(FunctionService, warm_reports_syntax_errors_by_function) {
  ServiceHarness harness(
      app_of({function("good", "exports = () => 1;"), function("bad", "exports = (")}));
  auto errors = asio::co_spawn(
                    harness.context(),
                    [](FunctionService& service) -> asio::awaitable<std::string> {
                      auto found = co_await service.warm();
                      if (!found || found->size() != 1) co_return "";
                      co_return found->front().first + "|" + found->front().second;
                    }(harness.service()),
                    asio::use_future)
                    .get();
  EXPECT_EQ(errors, "bad|line 1, column 12: Unexpected end of input");
}

TEST(FunctionService, unknown_function_is_not_found) {
  ServiceHarness harness(app_of({}));
  const Outcome outcome = harness.call("nowhere");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kFunctionNotFound);
  EXPECT_EQ(outcome.error->message(), "function not found: 'nowhere'");
}

TEST(FunctionService, private_function_is_hidden_from_clients_only) {
  app::FunctionConfig secret = function("secret", "exports = () => 'told';");
  secret.is_private = true;
  ServiceHarness harness(
      app_of({secret, function("open", "exports = () => context.functions.execute('secret');")}));
  CallRequest from_client = ServiceHarness::request("secret");
  from_client.from_client = true;
  const Outcome refused = harness.call(from_client);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), ErrorCode::kFunctionNotFound);
  EXPECT_EQ(json(harness.call("secret").value.value), "\"told\"");
  EXPECT_EQ(json(harness.call("open").value.value), "\"told\"");
}

TEST(FunctionService, can_evaluate_refuses_client_calls) {
  app::FunctionConfig guarded = function("guarded", "exports = () => 1;");
  guarded.can_evaluate = *bson::parse_json(R"({"%%user.type": "server"})");
  ServiceHarness harness(app_of({guarded}));
  CallRequest request = ServiceHarness::request("guarded");
  request.from_client = true;
  const Outcome refused = harness.call(request);
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), ErrorCode::kFunctionExecution);
  EXPECT_EQ(refused.error->message(), "rule not matched for function \"guarded\"");
  request.user.type = "server";
  EXPECT_FALSE(harness.call(request).error);
}

TEST(FunctionService, endless_loop_costs_its_own_call_only) {
  FunctionLimits limits;
  limits.run_time = milliseconds(3000);
  ServiceHarness harness(
      app_of({function("loop", kLoop), function("quick", "exports = () => 'ok';")}), limits);
  ASSERT_FALSE(harness.call("quick").error);
  const auto begin = steady_clock::now();
  auto looping = harness.start(ServiceHarness::request("loop"));
  std::vector<std::future<Outcome>> others;
  for (int i = 0; i < 5; ++i) others.push_back(harness.start(ServiceHarness::request("quick")));
  for (auto& other : others) {
    const Outcome outcome = other.get();
    ASSERT_FALSE(outcome.error) << outcome.error->message();
    EXPECT_EQ(json(outcome.value.value), "\"ok\"");
  }
  EXPECT_LT(since(begin), limits.run_time);
  const Outcome outcome = looping.get();
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kExecutionTimeLimit);
  EXPECT_EQ(outcome.error->message(), "execution time limit exceeded");
  EXPECT_FALSE(harness.call("quick").error);
}

TEST(FunctionService, waiting_function_is_ended_at_the_time_limit_without_losing_its_worker) {
  FunctionLimits limits;
  limits.max_workers = 1;  // so that another one cannot answer
  limits.run_time = milliseconds(2000);
  ServiceHarness harness(app_of({function("wait", "exports = () => new Promise(() => {});"),
                                 function("age", "exports = () => process.uptime() * 1000;")}),
                         limits);
  ASSERT_FALSE(harness.call("age").error);
  const Outcome outcome = harness.call("wait");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kExecutionTimeLimit);
  const Outcome after = harness.call("age");
  ASSERT_FALSE(after.error) << after.error->message();
  EXPECT_GE(after.value.value.view().as_double().value_or(0), 2000.0);
}

TEST(FunctionService, full_heap_ends_the_call_with_the_memory_limit) {
  FunctionLimits limits;
  limits.memory_mb = 60;
  ServiceHarness harness(app_of({function("eat",
                                          "exports = () => { const all = []; for (;;) all.push(new "
                                          "Array(10000).fill(1.5)); };"),
                                 function("quick", "exports = () => 'ok';")}),
                         limits);
  const Outcome outcome = harness.call("eat");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kFunctionExecution);
  EXPECT_EQ(outcome.error->message(), "memory limit exceeded");
  EXPECT_FALSE(harness.call("quick").error);
}

TEST(FunctionService, calls_of_a_dead_worker_are_interrupted_and_a_new_one_serves) {
  FunctionLimits limits;
  limits.memory_mb = 60;
  limits.max_workers = 1;
  ServiceHarness harness(app_of({function("eat",
                                          "exports = () => { const all = []; for (;;) all.push(new "
                                          "Array(10000).fill(1.5)); };"),
                                 function("wait", "exports = () => new Promise(() => {});"),
                                 function("quick", "exports = () => 'ok';")}),
                         limits);
  auto waiting = harness.start(ServiceHarness::request("wait"));
  ASSERT_FALSE(harness.call("quick").error);
  auto eating = harness.start(ServiceHarness::request("eat"));
  const Outcome interrupted = waiting.get();
  ASSERT_TRUE(interrupted.error);
  EXPECT_EQ(interrupted.error->code(), ErrorCode::kFunctionInterrupted);
  EXPECT_EQ(interrupted.error->message(), "function execution was interrupted");
  EXPECT_TRUE(eating.get().error);
  EXPECT_FALSE(harness.call("quick").error);
}

TEST(FunctionService, calls_above_the_queue_limit_are_refused) {
  FunctionLimits limits;
  limits.max_workers = 1;
  limits.max_calls_per_worker = 1;
  limits.max_queued_calls = 2;
  limits.run_time = milliseconds(2000);
  ServiceHarness harness(
      app_of({function("slow", "exports = () => new Promise((done) => setTimeout(done, 300));")}),
      limits);
  ASSERT_FALSE(harness.call("slow").error);
  std::vector<std::future<Outcome>> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(harness.start(ServiceHarness::request("slow")));
  int refused = 0;
  for (auto& call : calls) {
    const Outcome outcome = call.get();
    if (outcome.error && outcome.error->code() == ErrorCode::kTooManyRequests) ++refused;
  }
  EXPECT_EQ(refused, 3);
}

TEST(FunctionService, functions_of_rules_are_served_while_all_places_are_taken) {
  FunctionLimits limits;
  limits.max_workers = 1;
  limits.max_calls_per_worker = 1;
  limits.run_time = milliseconds(5000);
  ServiceHarness harness(
      app_of({function("ask", R"(exports = () =>
                context.services.get('mongodb-atlas').db('d').collection('ruled').findOne({});)"),
              function("rule", "exports = () => [context.user.id, context.user.data.email];")}),
      limits);
  std::vector<std::future<Outcome>> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(harness.start(ServiceHarness::request("ask")));
  for (auto& call : calls) {
    const Outcome outcome = call.get();
    ASSERT_FALSE(outcome.error) << outcome.error->message();
    EXPECT_EQ(json(outcome.value.value), R"(["60a1b2c3d4e5f60718293a4b","a@example.org"])");
  }
}

TEST(FunctionService, functions_of_rules_that_call_themselves_without_end_fail) {
  ServiceHarness harness(app_of({function("rule", R"(exports = () =>
      context.services.get('mongodb-atlas').db('d').collection('ruled').findOne({});)")}));
  const Outcome outcome = harness.call("rule");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->message(), "too many functions of rules call each other");
}

TEST(FunctionService, missing_node_fails_the_calls_instead_of_hanging) {
  ServiceHarness harness(app_of({function("f", "exports = () => 1;")}), {}, {},
                         "/nonexistent/node");
  const Outcome outcome = harness.call("f");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kInternal);
}

TEST(FunctionService, answer_waits_for_work_that_nobody_awaits) {
  ServiceHarness harness(app_of({function("fire", R"(exports = () => {
      const things = context.services.get('mongodb-atlas').db('d').collection('c');
      for (let i = 0; i < 20; ++i) things.insertOne({i});
      setTimeout(() => things.insertOne({late: true}), 30);
    };)")}));
  harness.data().prepare({bson::Value::null()});
  const Outcome outcome = harness.call("fire");
  ASSERT_FALSE(outcome.error);
  EXPECT_EQ(outcome.value.value.type(), bson::Type::kUndefined);
  EXPECT_EQ(harness.data().seen().size(), 21U);
}

TEST(FunctionService, too_much_pending_work_fails_the_call) {
  ServiceHarness harness(app_of({function("flood", R"(exports = () => {
      const things = context.services.get('mongodb-atlas').db('d').collection('c');
      for (let i = 0; i < 1001; ++i) things.insertOne({i}).catch(() => {});
      return 'done';
    };)")}));
  const Outcome outcome = harness.call("flood");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kFunctionExecution);
  EXPECT_EQ(outcome.error->message(), "exceeded max async work queue size of 1000");
}

TEST(FunctionService, transaction_left_open_is_aborted_when_the_call_ends) {
  ServiceHarness harness(app_of({function("leave", R"(exports = async () => {
      const client = context.services.get('mongodb-atlas');
      const session = client.startSession();
      session.startTransaction();
      await client.db('d').collection('c').insertOne({a: 1}, {session});
      return 'left';
    };)")}));
  harness.data().prepare({bson::Value::null()});
  ASSERT_FALSE(harness.call("leave").error);
  const auto commands = harness.data().source().commands();
  EXPECT_EQ(commands, std::vector<std::string>{"abortTransaction"});
}

TEST(FunctionService, transaction_commits_what_ran_inside_it) {
  ServiceHarness harness(app_of({function("move", R"(exports = async () => {
      const client = context.services.get('mongodb-atlas');
      const things = client.db('d').collection('c');
      const session = client.startSession();
      const result = await session.withTransaction(async () => {
        await things.updateOne({_id: 1}, {$inc: {n: -1}}, {session});
        await things.updateOne({_id: 2}, {$inc: {n: 1}}, {session});
        return 'moved';
      });
      await session.abortTransaction();
      return result;
    };)")}));
  harness.data().prepare({bson::Value::null()});
  const Outcome outcome = harness.call("move");
  ASSERT_FALSE(outcome.error) << outcome.error->message();
  EXPECT_EQ(json(outcome.value.value), "\"moved\"");
  EXPECT_EQ(harness.data().source().commands(), std::vector<std::string>{"commitTransaction"});
  ASSERT_EQ(harness.data().seen().size(), 2U);
  EXPECT_TRUE(harness.data().seen()[0]["transaction"].truthy());
}

// withTransaction over one statement; gives how often it ran.
const char* const kTransaction = R"(exports = async () => {
    const client = context.services.get('mongodb-atlas');
    const session = client.startSession();
    let runs = 0;
    await session.withTransaction(async () => {
      ++runs;
      await client.db('d').collection('c').insertOne({runs}, {session});
    });
    return runs;
  };)";

TEST(FunctionService, unknown_outcome_of_a_commit_is_asked_again) {
  ServiceHarness harness(app_of({function("move", kTransaction)}));
  harness.data().prepare({bson::Value::null()});
  harness.data().source().prepare_commits({failed_reply(91, "UnknownTransactionCommitResult")});
  const Outcome outcome = harness.call("move");
  ASSERT_FALSE(outcome.error) << outcome.error->message();
  EXPECT_EQ(json(outcome.value.value), R"({"$numberInt":"1"})");
  EXPECT_EQ(harness.data().source().commands(),
            (std::vector<std::string>{"commitTransaction", "commitTransaction"}));
}

TEST(FunctionService, commit_that_lost_a_race_runs_the_transaction_again) {
  ServiceHarness harness(app_of({function("move", kTransaction)}));
  harness.data().prepare({bson::Value::null()});
  harness.data().source().prepare_commits({failed_reply(251, "TransientTransactionError")});
  const Outcome outcome = harness.call("move");
  ASSERT_FALSE(outcome.error) << outcome.error->message();
  EXPECT_EQ(json(outcome.value.value), R"({"$numberInt":"2"})");
}

TEST(FunctionService, transaction_that_always_loses_ends_with_the_time_of_its_call) {
  FunctionLimits limits;
  limits.run_time = milliseconds(2500);
  ServiceHarness harness(app_of({function("move", kTransaction)}), limits);
  harness.data().prepare({Error(ErrorCode::kMongo, 246, "no snapshot")});
  asio::co_spawn(
      harness.context(),
      [](FunctionService& service) -> asio::awaitable<void> {
        static_cast<void>(co_await service.warm());
      }(harness.service()),
      asio::use_future)
      .get();
  const auto begin = steady_clock::now();
  const Outcome outcome = harness.call("move");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code(), ErrorCode::kExecutionTimeLimit);
  EXPECT_LT(since(begin), limits.run_time * 4);
  EXPECT_GT(harness.data().seen().size(), 2U);
}

TEST(FunctionService, logs_of_a_failed_call_reach_the_sink) {
  ServiceHarness harness(
      app_of({function("fail", "exports = () => { console.log('before'); throw 'bad'; };")}));
  const Outcome outcome = harness.call("fail");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->message(), "bad");
  const Outcome logged = harness.last_logged();
  ASSERT_TRUE(logged.error);
  EXPECT_EQ(logged.value.logs, std::vector<std::string>{"before"});
}

TEST(FunctionService, run_as_user_id_acts_as_that_user) {
  app::FunctionConfig as_other = function("as_other", R"(exports = async () => {
      await context.services.get('mongodb-atlas').db('d').collection('c').findOne({});
      return [context.user.id, context.user.custom_data.level, context.runningAsSystem()];
    };)");
  as_other.run_as_user_id = "0123456789abcdef01234567";
  auto users = [](std::string id) -> Task<rules::User> {
    rules::User user;
    user.id = std::move(id);
    user.custom_data = bson::make_document("level", std::int32_t{7});
    co_return user;
  };
  ServiceHarness harness(app_of({as_other}), {}, users);
  const Outcome outcome = harness.call("as_other");
  ASSERT_FALSE(outcome.error) << outcome.error->message();
  EXPECT_EQ(json(outcome.value.value), R"(["0123456789abcdef01234567",{"$numberInt":"7"},false])");
  ASSERT_EQ(harness.data().seen().size(), 1U);
  EXPECT_EQ(harness.data().seen()[0]["as"].as_string(), "0123456789abcdef01234567");
}

TEST(FunctionService, large_find_results_arrive_whole) {
  ServiceHarness harness(app_of({function("count", R"(exports = async () => {
      const all = await context.services.get('mongodb-atlas').db('d').collection('c').find({}).toArray();
      return [all.length, all[all.length - 1].text.length];
    };)")}));
  bson::Builder array;
  const std::string text(100000, 'x');
  bson::Builder documents;
  documents.open_array("all");
  for (int i = 0; i < 250; ++i) documents.push(bson::make_document("text", text));
  documents.close();
  const bson::Document holder = std::move(documents).finish();
  harness.data().prepare({bson::Value(holder["all"])});
  const Outcome outcome = harness.call("count");
  ASSERT_FALSE(outcome.error) << outcome.error->message();
  EXPECT_EQ(json(outcome.value.value), R"([{"$numberInt":"250"},{"$numberInt":"100000"}])");
}

TEST(FunctionService, endpoint_response_is_described) {
  ServiceHarness harness(app_of({function("endpoint", R"(exports = (request, response) => {
      response.setStatusCode(201);
      response.setHeader('content-type', 'text/plain');
      response.addHeader('X-A', 'one');
      response.addHeader('X-A', 'two');
      response.setBody('hello');
      return 'ignored';
    };)")}));
  CallRequest request = ServiceHarness::request("endpoint", "[{}]");
  request.with_response = true;
  const Outcome outcome = harness.call(request);
  ASSERT_FALSE(outcome.error) << outcome.error->message();
  EXPECT_EQ(bson::to_json(outcome.value.response.view(), bson::JsonMode::kRelaxed),
            R"({"headers":{"Content-Type":["text/plain"],"X-A":["one","two"]},"statusCode":201,)"
            R"("body":{"$binary":{"base64":"aGVsbG8=","subType":"00"}}})");
}

TEST(FunctionService, stop_lets_running_calls_end_and_refuses_new_ones) {
  ServiceHarness harness(app_of({function(
      "slow", "exports = () => new Promise((done) => setTimeout(() => done('end'), 200));")}));
  auto running = harness.start(ServiceHarness::request("slow"));
  harness.stop();
  const Outcome outcome = running.get();
  ASSERT_FALSE(outcome.error) << outcome.error->message();
  EXPECT_EQ(json(outcome.value.value), "\"end\"");
  const Outcome refused = harness.call("slow");
  ASSERT_TRUE(refused.error);
  EXPECT_EQ(refused.error->code(), ErrorCode::kClosing);
}

}  // namespace
}  // namespace restitch::functions
