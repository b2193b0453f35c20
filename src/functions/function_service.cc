#include "functions/function_service.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <map>
#include <mutex>
#include <unordered_map>

#include "functions/call.h"
#include "functions/data_operations.h"
#include "functions/frames.h"
#include "functions/worker_pool.h"
#include "rules/expression.h"
#include "runtime/metrics.h"

namespace restitch::functions {

namespace {

// Functions that rules of one request call within each other; more is taken for an endless
// recursion.
constexpr int kMaxRuleCalls = 64;
// Somebody looks at variables meanwhile.
constexpr std::chrono::milliseconds kInspectedRunTime{3600000};

metrics::Counter call_counter("restitch_functions_calls_total", "Function calls");
metrics::Counter failure_counter("restitch_functions_failed_calls_total",
                                 "Function calls that ended in an error");
metrics::Timing call_timing("restitch_functions_call_seconds", "Run time of function calls");

struct Function {
  const app::FunctionConfig* config = nullptr;
  std::shared_ptr<const rules::Expression> can_evaluate;  // null: always allowed
};

Error not_found(std::string_view name) {
  return Error(ErrorCode::kFunctionNotFound, "function not found: '" + std::string(name) + "'");
}

class NodeFunctionService : public FunctionService,
                            public std::enable_shared_from_this<NodeFunctionService> {
 public:
  NodeFunctionService(FunctionAppInfo app, std::shared_ptr<rules::DataAccess> data,
                      UserLookup users, CallLogSink log, Options options)
      : app_(std::move(app)),
        options_(std::move(options)),
        log_(std::move(log)),
        operations_(app_, std::move(data), std::move(users), options_.list_names,
                    options_.push_registrations, this) {}

  Status compile();

  Task<CallOutcome> call(CallRequest request) override;
  Task<bson::Value> call_for_rule(std::string_view name, bson::Document arguments,
                                  const rules::EvaluationContext& context) override;
  Task<std::vector<std::pair<std::string, std::string>>> warm() override;
  std::vector<std::pair<std::string, std::string>> source_warnings() const override;
  asio::awaitable<void> stop() override;

 private:
  Result<const Function*> find(const CallRequest& request) const;
  Status check_service(const std::string& name) const;
  Task<void> check_can_evaluate(const Function& function, const CallRequest& request,
                                const bson::Document& request_document);
  Task<CallOutcome> run(const CallRequest& request, bson::Document request_document,
                        CallOutcome& failed_outcome, bool is_nested);
  asio::awaitable<std::shared_ptr<WorkerPool>> pool();
  bool enter_rule_call(const std::string& request_id);
  void leave_rule_call(const std::string& request_id);

  const FunctionAppInfo app_;
  const Options options_;
  const CallLogSink log_;
  std::map<std::string, Function, std::less<>> functions_;
  DataOperations operations_;

  // Made by the first call, on whose executor the workers are served.
  mutable std::mutex pool_mutex_;
  std::shared_ptr<WorkerPool> pool_;
  std::vector<std::pair<std::string, std::string>> warnings_;
  bool is_stopped_ = false;

  std::mutex rule_calls_mutex_;
  std::unordered_map<std::string, int> rule_calls_;
};

Status NodeFunctionService::compile() {
  app::Findings findings;
  for (const app::FunctionConfig& config : app_.functions) {
    Function function{&config, nullptr};
    if (config.can_evaluate) {
      function.can_evaluate =
          rules::Expression::compile(*config.can_evaluate, rules::Place::kFunction,
                                     "functions/config.json", config.name, findings);
      if (findings.has_errors()) {
        return Error(ErrorCode::kInvalidArgument, to_line(findings.list().back()));
      }
      if (function.can_evaluate->constant() == true) function.can_evaluate = nullptr;
    }
    functions_.insert_or_assign(config.name, std::move(function));
  }
  // The path is an alias where it is nobody's name.
  for (const app::FunctionConfig& config : app_.functions) {
    if (!config.path.empty()) functions_.try_emplace(config.path, functions_.at(config.name));
  }
  return {};
}

Result<const Function*> NodeFunctionService::find(const CallRequest& request) const {
  const auto found = functions_.find(request.function);
  if (found == functions_.end()) return not_found(request.function);
  if (request.from_client && found->second.config->is_private) return not_found(request.function);
  return &found->second;
}

Status NodeFunctionService::check_service(const std::string& name) const {
  if (find_service(app_.third_party, name) != nullptr) return {};
  return Error(ErrorCode::kServiceNotFound, "service not found: '" + name + "'");
}

Task<void> NodeFunctionService::check_can_evaluate(const Function& function,
                                                   const CallRequest& request,
                                                   const bson::Document& request_document) {
  if (function.can_evaluate == nullptr) co_return Status();
  const rules::EvaluationContext context{request.user,         request_document,        app_.values,
                                         app_.environment_tag, app_.environment_values, this,
                                         request.request_id};
  bool allowed = false;
  if (function.can_evaluate->calls_functions()) {
    RESTITCH_CO_TRY(allowed, co_await function.can_evaluate->evaluate_async(context, {}));
  } else {
    allowed = function.can_evaluate->evaluate(context, {});
  }
  if (allowed) co_return Status();
  co_return Error(ErrorCode::kFunctionExecution,
                  "rule not matched for function \"" + request.function + "\"");
}

Task<CallOutcome> NodeFunctionService::call(CallRequest request) {
  const auto begin = std::chrono::steady_clock::now();
  CallOutcome outcome;
  bson::Document request_document = request.request.to_document();
  auto result = co_await run(request, std::move(request_document), outcome, false);
  const auto run_time = std::chrono::steady_clock::now() - begin;
  CallOutcome& seen = result ? *result : outcome;
  seen.run_time = std::chrono::duration_cast<std::chrono::microseconds>(run_time);
  call_counter.add();
  if (!result) failure_counter.add();
  call_timing.observe(std::chrono::duration<double>(run_time).count());
  if (log_) log_(CallLog{request, seen, result ? nullptr : &result.error()});
  co_return result;
}

// `failed_outcome` receives the logs of a call that ends in an error.
Task<CallOutcome> NodeFunctionService::run(const CallRequest& request,
                                           bson::Document request_document,
                                           CallOutcome& failed_outcome, bool is_nested) {
  bool as_system = request.system_caller;
  if (!request.service.empty()) {
    RESTITCH_CO_CHECK(check_service(request.service));
  } else if (request.source.empty()) {
    RESTITCH_CO_TRY(const Function* function, find(request));
    if (request.from_client || request.apply_can_evaluate) {
      RESTITCH_CO_CHECK(co_await check_can_evaluate(*function, request, request_document));
    }
    const app::FunctionConfig& config = *function->config;
    const bool as_user =
        !config.run_as_user_id.empty() || !config.run_as_user_id_script_source.empty();
    as_system = config.run_as_system || (request.system_caller && !as_user);
  }
  auto call = std::make_shared<Call>();
  call->name = request.function;
  call->frame = call_frame(request, as_system, request_document, options_.limits.run_time);
  if (call->frame.size() > kMaxFrameBytes) {
    co_return Error(ErrorCode::kRequestTooLarge, "the arguments are too large");
  }
  call->deadline = std::chrono::steady_clock::now() + options_.limits.run_time;
  call->user = request.user;
  call->request = std::move(request_document);
  call->request_id = request.request_id;
  call->is_nested = is_nested;
  call->service = shared_from_this();

  const std::shared_ptr<WorkerPool> workers = co_await pool();
  if (workers == nullptr) co_return Error(ErrorCode::kClosing, "the server is shutting down");
  CallResult result = co_await workers->run(call);
  co_await operations_.end_call(call);
  failed_outcome.logs = std::move(result.logs);
  failed_outcome.error_logs = std::move(result.error_logs);
  if (result.error) co_return std::move(*result.error);
  CallOutcome outcome = std::move(failed_outcome);
  outcome.value = std::move(result.value);
  outcome.response = std::move(result.response);
  co_return outcome;
}

bool NodeFunctionService::enter_rule_call(const std::string& request_id) {
  const std::lock_guard lock(rule_calls_mutex_);
  int& count = rule_calls_[request_id];
  if (count >= kMaxRuleCalls) return false;
  ++count;
  return true;
}

void NodeFunctionService::leave_rule_call(const std::string& request_id) {
  const std::lock_guard lock(rule_calls_mutex_);
  const auto found = rule_calls_.find(request_id);
  if (found != rule_calls_.end() && --found->second == 0) rule_calls_.erase(found);
}

Task<bson::Value> NodeFunctionService::call_for_rule(std::string_view name,
                                                     bson::Document arguments,
                                                     const rules::EvaluationContext& context) {
  CallRequest request;
  request.function = name;
  request.arguments = std::move(arguments);
  request.user = context.user;
  request.request_id = context.request_id;
  if (!enter_rule_call(request.request_id)) {
    co_return Error(ErrorCode::kFunctionExecution, "too many functions of rules call each other");
  }
  CallOutcome outcome;
  auto result = co_await run(request, context.request, outcome, true);
  leave_rule_call(request.request_id);
  if (!result) co_return std::move(result).error();
  co_return std::move(result->value);
}

asio::awaitable<std::shared_ptr<WorkerPool>> NodeFunctionService::pool() {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const std::lock_guard lock(pool_mutex_);
  if (pool_ == nullptr && !is_stopped_) {
    PoolSettings settings;
    settings.process = {options_.node_binary, options_.worker_script, options_.limits.memory_mb,
                        options_.inspect};
    settings.limits = options_.limits;
    settings.app = app_.client_app_id;
    settings.console = options_.console;
    settings.init_frame =
        init_frame(app_, options_.limits, options_.gateways, options_.console != nullptr);
    pool_ = std::make_shared<WorkerPool>(
        executor, std::move(settings), [this](CallPointer call, bson::Document frame) {
          return operations_.serve(std::move(call), std::move(frame));
        });
  }
  co_return pool_;
}

Task<std::vector<std::pair<std::string, std::string>>> NodeFunctionService::warm() {
  const std::shared_ptr<WorkerPool> workers = co_await pool();
  if (workers == nullptr) co_return Error(ErrorCode::kClosing, "the server is shutting down");
  RESTITCH_CO_TRY(SourceRemarks remarks, co_await workers->warm());
  const std::lock_guard lock(pool_mutex_);
  warnings_ = std::move(remarks.warnings);
  co_return std::move(remarks.syntax_errors);
}

std::vector<std::pair<std::string, std::string>> NodeFunctionService::source_warnings() const {
  const std::lock_guard lock(pool_mutex_);
  return warnings_;
}

asio::awaitable<void> NodeFunctionService::stop() {
  std::shared_ptr<WorkerPool> workers;
  {
    const std::lock_guard lock(pool_mutex_);
    is_stopped_ = true;
    workers.swap(pool_);
  }
  if (workers != nullptr) co_await workers->stop();
}

}  // namespace

const ThirdPartyService* find_service(const std::vector<ThirdPartyService>& services,
                                      std::string_view name) {
  const auto found =
      std::find_if(services.begin(), services.end(),
                   [name](const ThirdPartyService& service) { return service.name == name; });
  return found == services.end() ? nullptr : &*found;
}

Result<std::shared_ptr<FunctionService>> FunctionService::create(
    FunctionAppInfo app, std::shared_ptr<rules::DataAccess> data, UserLookup users, CallLogSink log,
    Options options) {
  if (!options.inspect.empty()) {
    options.limits.max_workers = 1;
    options.limits.run_time = std::max(options.limits.run_time, kInspectedRunTime);
  }
  auto service = std::make_shared<NodeFunctionService>(
      std::move(app), std::move(data), std::move(users), std::move(log), std::move(options));
  RESTITCH_CHECK(service->compile());
  return std::shared_ptr<FunctionService>(std::move(service));
}

}  // namespace restitch::functions
