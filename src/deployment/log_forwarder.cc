#include "deployment/log_forwarder.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "datasource/client.h"
#include "runtime/metrics.h"

namespace restitch::deployment {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxBatch = 100;
constexpr std::size_t kMaxBatchBytes = 4U << 20U;
constexpr std::size_t kMaxWaiting = 10'000;
constexpr std::size_t kMaxWaitingBytes = 16U << 20U;
constexpr std::chrono::seconds kLongestWait{60};
constexpr std::chrono::seconds kStoreTime{30};
constexpr int kAttempts = 3;
constexpr milliseconds kFirstPause{500};
constexpr int kFailuresBeforeSuspension = 5;
constexpr std::string_view kFolder = "log_forwarders/";

metrics::Counter forwarded_counter("restitch_log_forwarder_entries_total", "Log entries forwarded");
metrics::Counter lost_counter("restitch_log_forwarder_lost_entries_total",
                              "Log entries that could not be forwarded or were too many");

std::string text_of(bson::View object, std::string_view name) {
  return std::string(object[name].as_string().value_or(""));
}

std::set<std::string> texts_of(bson::View object, std::string_view name) {
  std::set<std::string> texts;
  const auto list = object[name].as_array();
  if (!list) return texts;
  for (const bson::Element& element : *list) {
    if (const auto text = element.value.as_string()) texts.emplace(*text);
  }
  return texts;
}

LogForwarderConfig config_of(const DeployedApp& app, bson::View file) {
  LogForwarderConfig config;
  config.name = text_of(file, "name");
  const auto id = app.forwarder_ids.find(config.name);
  if (id != app.forwarder_ids.end()) config.id = id->second;
  config.types = texts_of(file, "log_types");
  const std::set<std::string> statuses = texts_of(file, "log_statuses");
  config.forwards_errors = statuses.contains("error");
  config.forwards_successes = statuses.contains("success");
  const auto policy = file["policy"].as_object();
  config.is_batch = policy && text_of(*policy, "type") == "batch";
  if (const auto action = file["action"].as_object()) {
    if (text_of(*action, "type") == "function") config.function = text_of(*action, "name");
    config.data_source = text_of(*action, "data_source");
    config.database = text_of(*action, "database");
    config.collection = text_of(*action, "collection");
  }
  config.fingerprint = config.id.to_hex() + std::string(file.bytes());
  return config;
}

bool is_complete(const LogForwarderConfig& config) {
  return !config.function.empty() || (!config.database.empty() && !config.collection.empty());
}

// Whether the same delivery may succeed later.
bool is_passing(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kFunctionExecution:
    case ErrorCode::kFunctionNotFound:
    case ErrorCode::kFunctionSyntax:
    case ErrorCode::kExecutionTimeLimit:
    case ErrorCode::kServiceNotFound:
      return false;
    default:
      return true;
  }
}

asio::awaitable<void> pause(milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace

std::vector<LogForwarderConfig> log_forwarders_of(const DeployedApp& app) {
  std::vector<LogForwarderConfig> configs;
  for (const app::OpaqueFile& file : app.config->others) {
    if (!file.path.starts_with(kFolder)) continue;
    const auto object = file.content.view().as_object();
    if (!object || (*object)["disabled"].as_bool().value_or(false)) continue;
    LogForwarderConfig config = config_of(app, *object);
    if (is_complete(config)) configs.push_back(std::move(config));
  }
  return configs;
}

std::string_view forwarded_type(std::string_view entry_type) {
  using Name = std::pair<std::string_view, std::string_view>;
  constexpr std::array<Name, 16> kNames = {{{"FUNCTION", "function"},
                                            {"SERVICE_FUNCTION", "service"},
                                            {"AUTH", "auth"},
                                            {"API_KEY", "auth"},
                                            {"ENDPOINT", "endpoint"},
                                            {"WEBHOOK", "endpoint"},
                                            {"DB_TRIGGER", "trigger"},
                                            {"AUTH_TRIGGER", "trigger"},
                                            {"SCHEDULED_TRIGGER", "trigger"},
                                            {"TRIGGER_FAILURE", "trigger"},
                                            {"TRIGGER_ERROR_HANDLER", "trigger_error_handler"},
                                            {"STREAM_FUNCTION", "function"},
                                            {"SERVICE_STREAM_FUNCTION", "service"},
                                            {"GRAPHQL", "graphql"},
                                            {"PUSH", "push"},
                                            {"API", "function"}}};
  if (entry_type.starts_with("SYNC_")) return "sync";
  if (entry_type.starts_with("SCHEMA_")) return "schema";
  const auto* known = std::find_if(kNames.begin(), kNames.end(),
                                   [&](const Name& one) { return one.first == entry_type; });
  return known == kNames.end() ? std::string_view() : known->second;
}

LogForwarder::LogForwarder(asio::any_io_executor executor, LogForwarderConfig config,
                           DeployedAppPtr app, Report report)
    : executor_(executor),
      config_(std::move(config)),
      report_(std::move(report)),
      timer_(executor),
      app_(std::move(app)) {}

void LogForwarder::use(DeployedAppPtr app) {
  const std::lock_guard lock(mutex_);
  if (!is_closing_) app_ = std::move(app);
}

void LogForwarder::offer(std::string_view type, bool has_failed, const LogEntry& entry) {
  if (has_failed ? !config_.forwards_errors : !config_.forwards_successes) return;
  if (!config_.types.contains(std::string(type))) return;
  const std::size_t bytes = entry->bytes().size();
  bool begins = false, is_full = false;
  {
    const std::lock_guard lock(mutex_);
    if (is_closing_ || is_suspended_) return;
    if (waiting_.size() >= kMaxWaiting || waiting_bytes_ + bytes > kMaxWaitingBytes) {
      lost_counter.add();
      return;
    }
    waiting_.push_back(entry);
    waiting_bytes_ += bytes;
    begins = !std::exchange(is_running_, true);
    is_full = waiting_.size() == kMaxBatch;
  }
  if (begins) {
    asio::co_spawn(executor_, run(shared_from_this()),
                   [self = shared_from_this()](std::exception_ptr failure) {
                     if (failure) self->end();
                   });
  } else if (is_full) {
    wake();
  }
}

bool LogForwarder::is_suspended() const {
  const std::lock_guard lock(mutex_);
  return is_suspended_;
}

void LogForwarder::resume() {
  const std::lock_guard lock(mutex_);
  is_suspended_ = false;
  failures_ = 0;
}

void LogForwarder::close() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
    if (!is_running_) app_.reset();
  }
  wake();
}

bool LogForwarder::is_over() const {
  const std::lock_guard lock(mutex_);
  return is_closing_ && !is_running_;
}

// A timer that is not being waited for yet is no loss: its waiter looks at is_due() first, on the
// same executor.
void LogForwarder::wake() {
  asio::post(executor_, [self = shared_from_this()] { self->timer_.cancel(); });
}

void LogForwarder::end() {
  const std::lock_guard lock(mutex_);
  is_running_ = false;
  if (is_closing_) app_.reset();
}

bool LogForwarder::is_due() const {
  const std::lock_guard lock(mutex_);
  return is_closing_ || !config_.is_batch || waiting_.size() >= kMaxBatch;
}

bool LogForwarder::may_try_again() const {
  const std::lock_guard lock(mutex_);
  return !is_closing_;
}

asio::awaitable<void> LogForwarder::run(std::shared_ptr<LogForwarder> self) {
  while (true) {
    co_await self->wait_for_batch();
    std::vector<LogEntry> entries = self->take();
    if (entries.empty()) co_return;
    co_await self->deliver(std::move(entries));
  }
}

asio::awaitable<void> LogForwarder::wait_for_batch() {
  if (is_due()) co_return;
  timer_.expires_after(kLongestWait);
  co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
}

// None: this run is over.
std::vector<LogEntry> LogForwarder::take() {
  const std::size_t most = config_.is_batch ? kMaxBatch : 1;
  std::vector<LogEntry> entries;
  std::size_t bytes = 0;
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty() && entries.size() < most && bytes < kMaxBatchBytes) {
    bytes += waiting_.front()->bytes().size();
    entries.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  waiting_bytes_ -= bytes;
  if (entries.empty()) {
    is_running_ = false;
    if (is_closing_) app_.reset();
  }
  return entries;
}

asio::awaitable<void> LogForwarder::deliver(std::vector<LogEntry> entries) {
  DeployedAppPtr app;
  {
    const std::lock_guard lock(mutex_);
    app = app_;
  }
  const std::string request_id = bson::ObjectId::generate().to_hex();
  milliseconds wait = kFirstPause;
  for (int attempt = 1;; ++attempt) {
    auto sent = co_await send(app, entries, request_id);
    if (sent) {
      forwarded_counter.add(static_cast<double>(entries.size()));
      const std::lock_guard lock(mutex_);
      failures_ = 0;
      co_return;
    }
    if (attempt == kAttempts || !is_passing(sent.error()) || !may_try_again()) {
      note_failure(*app, entries, request_id, sent.error());
      co_return;
    }
    co_await pause(wait);
    wait *= 4;
  }
}

Task<void> LogForwarder::send(DeployedAppPtr app, const std::vector<LogEntry>& entries,
                              const std::string& request_id) const {
  if (config_.function.empty()) {
    RESTITCH_CO_CHECK(co_await store(*app, entries));
  } else {
    RESTITCH_CO_CHECK(co_await call(*app, entries, request_id));
  }
  co_return Status();
}

// Entries that a former attempt has stored are there already: their ids are taken.
Task<void> LogForwarder::store(const DeployedApp& app, const std::vector<LogEntry>& entries) const {
  constexpr int kDuplicateKey = 11000;
  const auto source = app.sources.find(config_.data_source);
  if (source == app.sources.end()) {
    co_return Error(ErrorCode::kServiceNotFound,
                    "data source not found: '" + config_.data_source + "'");
  }
  const datasource::Collection target(*source->second, config_.database, config_.collection);
  datasource::CallOptions options;
  options.deadline = std::chrono::steady_clock::now() + kStoreTime;
  std::vector<bson::Document> documents;
  documents.reserve(entries.size());
  for (const LogEntry& entry : entries) documents.push_back(*entry);
  const auto stored = co_await target.insert_many(documents, options);
  if (stored) co_return Status();
  if (stored.error().mongo_code() != kDuplicateKey) co_return stored.error();
  for (const bson::Document& document : documents) {
    const auto alone = co_await target.insert_one(document, options);
    if (!alone && alone.error().mongo_code() != kDuplicateKey) co_return alone.error();
  }
  co_return Status();
}

Task<void> LogForwarder::call(const DeployedApp& app, const std::vector<LogEntry>& entries,
                              const std::string& request_id) const {
  bson::Builder arguments;
  arguments.open_array("0");
  for (const LogEntry& entry : entries) arguments.push(*entry);
  arguments.close();
  functions::CallRequest request;
  request.function = config_.function;
  request.arguments = std::move(arguments).finish();
  request.user.type = "system";
  request.system_caller = true;
  request.request_id = request_id;
  request.log_type = "LOG_FORWARDER";
  bson::Builder fields;
  fields.append("log_forwarder_id", config_.id.to_hex())
      .append("log_forwarder_name", config_.name);
  request.log_fields = std::move(fields).finish();
  RESTITCH_CO_CHECK(co_await app.functions->call(std::move(request)));
  co_return Status();
}

void LogForwarder::note_failure(const DeployedApp& app, const std::vector<LogEntry>& entries,
                                const std::string& request_id, const Error& error) {
  lost_counter.add(static_cast<double>(entries.size()));
  bool suspends = false;
  {
    const std::lock_guard lock(mutex_);
    suspends = ++failures_ >= kFailuresBeforeSuspension && !std::exchange(is_suspended_, true);
    if (suspends) {
      lost_counter.add(static_cast<double>(waiting_.size()));
      waiting_.clear();
      waiting_bytes_ = 0;
    }
  }
  bson::Builder fields;
  fields.append("co_id", request_id).append("log_forwarder_id", config_.id.to_hex());
  fields.append("log_forwarder_name", config_.name);
  fields.append("error", (suspends ? "log forwarder suspended: " : "") + error.message());
  fields.append("error_code", "LogForwarderError");
  fields.open_array("failed_to_forward_log_ids");
  for (const LogEntry& entry : entries) {
    if (const auto id = (*entry)["_id"].as_object_id()) fields.push(id->to_hex());
  }
  fields.close();
  report_(app, std::move(fields).finish());
  if (!suspends) return;
  RESTITCH_LOG(kError, kApp, 3003, "Log forwarder suspended", {"app", app.client_app_id},
               {"forwarder", config_.name}, {"error", error.message()});
}

}  // namespace restitch::deployment
