#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bson/extended_json.h"
#include "functions/function_service.h"
#include "rules/user_watch.h"

namespace restitch::functions {

// A failed reply of a command in a transaction, labelled as MongoDB labels it.
inline bson::Document failed_reply(int code, std::string_view label) {
  bson::Builder reply;
  reply.append("ok", 0.0);
  reply.append("code", std::int32_t{code});
  reply.append("errmsg", "failed with " + std::to_string(code));
  reply.open_array("errorLabels").push(label).close();
  return std::move(reply).finish();
}

// A deployment without data that knows transactions.
class FakeSource : public datasource::DataSource {
 public:
  Task<bson::Document> run(std::string_view, bson::Document command,
                           datasource::Deadline) override {
    const std::string name((*command.view().begin()).name);
    {
      const std::lock_guard lock(mutex_);
      commands_.push_back(name);
      if (name == "commitTransaction" && !commit_replies_.empty()) {
        bson::Document reply = std::move(commit_replies_.front());
        commit_replies_.erase(commit_replies_.begin());
        co_return reply;
      }
    }
    co_return bson::make_document("ok", 1.0);
  }
  // What the next commits are answered; later ones succeed.
  void prepare_commits(std::vector<bson::Document> replies) {
    const std::lock_guard lock(mutex_);
    commit_replies_ = std::move(replies);
    commands_.clear();
  }
  datasource::Kind kind() const override { return datasource::Kind::kCluster; }
  bool has_transactions() const override { return true; }

  std::vector<std::string> commands() const {
    const std::lock_guard lock(mutex_);
    return commands_;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> commands_;
  std::vector<bson::Document> commit_replies_;
};

// Answers every operation with the next prepared answer and keeps what was asked.
class FakeData : public rules::DataAccess {
 public:
  FakeData() : source_(std::make_shared<FakeSource>()) {}

  void prepare(std::vector<Result<bson::Value>> answers) {
    const std::lock_guard lock(mutex_);
    answers_ = std::move(answers);
    next_ = 0;
    seen_.clear();
  }

  std::vector<bson::Document> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  FakeSource& source() { return *source_; }

  // The rules of the collection `ruled` call the function `rule`, whose answer is the result.
  Task<bson::Value> run_as_user(rules::Operation operation, const rules::EvaluationContext& context,
                                datasource::Deadline deadline,
                                rules::TransactionHandle transaction) override {
    if (operation.collection == "ruled") {
      co_return co_await context.functions->call_for_rule("rule", bson::Document(), context);
    }
    co_return co_await answer(operation, context.user.id, deadline, std::move(transaction));
  }
  Task<bson::Value> run_as_system(rules::Operation operation, datasource::Deadline deadline,
                                  rules::TransactionHandle transaction) override {
    co_return co_await answer(operation, "system", deadline, std::move(transaction));
  }
  Task<rules::Explanation> explain_as_user(rules::Operation, const rules::EvaluationContext&,
                                           rules::ExplainOptions, datasource::Deadline) override {
    co_return Error(ErrorCode::kUnsupported, "nothing to explain");
  }
  Task<std::unique_ptr<rules::UserWatch>> watch_as_user(rules::WatchRequest,
                                                        const rules::EvaluationContext&) override {
    co_return Error(ErrorCode::kUnsupported, "nothing to watch");
  }
  Result<rules::TransactionHandle> begin_transaction(std::string_view) override {
    return std::make_shared<datasource::ClientTransaction>(*source_);
  }
  bool has_source(std::string_view name) const override { return name == "mongodb-atlas"; }
  const rules::RuleSet& rules() const override { std::abort(); }

 private:
  Task<bson::Value> answer(const rules::Operation& operation, std::string who, datasource::Deadline,
                           rules::TransactionHandle transaction) {
    if (transaction != nullptr) {
      bson::Builder command;
      command.append("find", operation.collection);
      transaction->decorate(command);
    }
    const std::lock_guard lock(mutex_);
    seen_.push_back(describe(operation, who, transaction != nullptr));
    if (answers_.empty()) co_return bson::Value::null();
    const Result<bson::Value>& given =
        answers_[next_ < answers_.size() ? next_++ : answers_.size() - 1];
    if (!given && transaction != nullptr && is_transient(given.error().mongo_code())) {
      transaction->observe(
          failed_reply(given.error().mongo_code(), "TransientTransactionError").view());
    }
    co_return given;
  }

  // Failures of a statement that MongoDB lets the whole transaction be run again after.
  static bool is_transient(int code) { return code == 112 || code == 246 || code == 251; }

  static bson::Document describe(const rules::Operation& operation, const std::string& who,
                                 bool in_transaction) {
    bson::Builder builder;
    builder.append("action", rules::name_of(operation.action));
    builder.append("as", who);
    builder.append("namespace", operation.database + "." + operation.collection);
    if (!operation.filter.empty()) builder.append("filter", operation.filter);
    if (!operation.projection.empty()) builder.append("projection", operation.projection);
    if (!operation.sort.empty()) builder.append("sort", operation.sort);
    if (operation.skip != 0) builder.append("skip", operation.skip);
    if (operation.limit != 0) builder.append("limit", operation.limit);
    builder.append("update", operation.update);
    if (operation.upsert) builder.append("upsert", true);
    if (operation.return_new) builder.append("returnNew", true);
    if (!operation.array_filters.empty())
      builder.append_array("arrayFilters", operation.array_filters);
    if (!operation.documents.empty()) {
      builder.open_array("documents");
      for (const bson::Document& document : operation.documents) builder.push(document.view());
      builder.close();
    }
    if (!operation.ordered) builder.append("ordered", false);
    if (!operation.pipeline.empty()) builder.append_array("pipeline", operation.pipeline);
    if (!operation.distinct_key.empty()) builder.append("key", operation.distinct_key);
    if (!operation.bulk.empty()) builder.append_array("bulk", operation.bulk);
    if (!operation.options.empty()) builder.append("options", operation.options);
    if (in_transaction) builder.append("transaction", true);
    return std::move(builder).finish();
  }

  mutable std::mutex mutex_;
  std::vector<Result<bson::Value>> answers_;
  std::size_t next_ = 0;
  std::vector<bson::Document> seen_;
  std::shared_ptr<FakeSource> source_;
};

struct Outcome {
  std::optional<Error> error;
  CallOutcome value;  // of a failed call: only its logs
};

// A function service with real workers on an event loop of its own.
class ServiceHarness {
 public:
  explicit ServiceHarness(FunctionAppInfo app, FunctionLimits limits = {}, UserLookup users = {},
                          std::string node = "node")
      : data_(std::make_shared<FakeData>()), guard_(asio::make_work_guard(context_)) {
    FunctionService::Options options;
    options.worker_script = RESTITCH_SOURCE_DIR "/src/functions/worker/main.js";
    options.node_binary = std::move(node);
    options.limits = limits;
    auto log = [this](const CallLog& entry) {
      const std::lock_guard lock(log_mutex_);
      logged_.push_back(
          {entry.error == nullptr ? std::nullopt : std::optional(*entry.error), entry.outcome});
    };
    auto service = FunctionService::create(std::move(app), data_, std::move(users), log, options);
    if (!service) throw std::runtime_error(service.error().message());
    service_ = *service;
    thread_ = std::thread([this] { context_.run(); });
  }

  ~ServiceHarness() {
    stop();
    guard_.reset();
    context_.stop();
    thread_.join();
  }

  void stop() { asio::co_spawn(context_, service_->stop(), asio::use_future).get(); }

  std::future<Outcome> start(CallRequest request) {
    return asio::co_spawn(context_, run(service_, std::move(request)), asio::use_future);
  }
  Outcome call(CallRequest request) { return start(std::move(request)).get(); }

  Outcome call(std::string function, const std::string& arguments = "[]") {
    return call(request(std::move(function), arguments));
  }

  // `arguments`: an array in Extended JSON.
  static CallRequest request(std::string function, const std::string& arguments = "[]") {
    CallRequest result;
    result.function = std::move(function);
    const auto parsed = bson::parse_json(arguments);
    if (!parsed) throw std::runtime_error(parsed.error().message());
    result.arguments = bson::Document(parsed->view().get_document());
    result.user.id = "60a1b2c3d4e5f60718293a4b";
    result.user.data = *bson::parse_json_document(R"({"email": "a@example.org"})");
    return result;
  }

  // The last log entry: of a failed call it has the lines that the outcome does not show.
  Outcome last_logged() const {
    const std::lock_guard lock(log_mutex_);
    return logged_.back();
  }

  FakeData& data() { return *data_; }
  FunctionService& service() { return *service_; }
  asio::io_context& context() { return context_; }

 private:
  static asio::awaitable<Outcome> run(std::shared_ptr<FunctionService> service,
                                      CallRequest request) {
    Result<CallOutcome> result = co_await service->call(std::move(request));
    Outcome outcome;
    if (result)
      outcome.value = std::move(*result);
    else
      outcome.error = result.error();
    co_return outcome;
  }

  asio::io_context context_{1};
  std::shared_ptr<FakeData> data_;
  std::shared_ptr<FunctionService> service_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::thread thread_;
  mutable std::mutex log_mutex_;
  std::vector<Outcome> logged_;
};

inline app::FunctionConfig function(std::string name, std::string source) {
  app::FunctionConfig config;
  config.name = config.path = std::move(name);
  config.source = std::move(source);
  return config;
}

inline FunctionAppInfo app_of(std::vector<app::FunctionConfig> functions) {
  FunctionAppInfo app;
  app.app_id = "60a1b2c3d4e5f60718293a40";
  app.client_app_id = "test-abcde";
  app.name = "test";
  app.functions = std::move(functions);
  app.services = {{"mongodb-atlas", "mongodb-atlas"}};
  return app;
}

inline std::string json(const bson::Value& value) { return bson::to_json(value); }

}  // namespace restitch::functions
