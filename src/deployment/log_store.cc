#include "deployment/log_store.h"

#include <boost/asio/co_spawn.hpp>
#include <chrono>

#include "auth/store.h"
#include "base/log.h"
#include "runtime/metrics.h"

namespace restitch::deployment {
namespace {

using bson::Builder;
using bson::Document;

constexpr std::size_t kMaxPending = 4096;
constexpr std::int64_t kRetentionSeconds = 10LL * 24 * 3600;

metrics::Counter& dropped_entries() {
  static metrics::Counter counter("restitch_log_entries_dropped_total",
                                  "Log entries lost because too many waited");
  return counter;
}

bson::Date now() {
  return bson::Date{std::chrono::duration_cast<std::chrono::milliseconds>(
                        std::chrono::system_clock::now().time_since_epoch())
                        .count()};
}

void append_lines(Builder& out, std::string_view name, const std::vector<std::string>& lines) {
  out.open_array(name);
  for (const std::string& line : lines) out.push(line);
  out.close();
}

}  // namespace

LogStore::LogStore(std::shared_ptr<datasource::DataSource> state, runtime::IoThreads& threads)
    : state_(std::move(state)),
      threads_(threads),
      logs_(*state_, std::string(auth::kStateDatabase), "logs") {}

Task<void> LogStore::prepare() {
  datasource::IndexOptions expiring;
  expiring.expire_after_seconds = kRetentionSeconds;
  const Document started = bson::make_document("started", std::int32_t{1});
  RESTITCH_CO_CHECK(co_await logs_.ensure_index(started, expiring));
  Builder by_app;
  by_app.append("app_id", std::int32_t{1}).append("started", std::int32_t{-1});
  const Document app_and_time = std::move(by_app).finish();
  RESTITCH_CO_CHECK(co_await logs_.ensure_index(app_and_time));
  co_return Status();
}

void LogStore::add_function_call(const bson::ObjectId& app_id, const std::string& group_id,
                                 const functions::CallLog& call) {
  const bson::Date completed = now();
  const auto run_millis =
      std::chrono::duration_cast<std::chrono::milliseconds>(call.outcome.run_time).count();
  Builder entry;
  entry.append("_id", bson::ObjectId::generate()).append("co_id", call.request.request_id);
  entry.append("type", call.request.log_type).append("app_id", app_id).append("group_id", group_id);
  entry.append("function_name", call.request.function).append("user_id", call.request.user.id);
  entry.append("remote_ip_address", call.request.request.remote_ip);
  entry.append("started", bson::Date{completed.millis - run_millis}).append("completed", completed);
  entry.append_all(call.request.log_fields);
  append_lines(entry, "messages", call.outcome.logs);
  append_lines(entry, "error_messages", call.outcome.error_logs);
  if (call.error != nullptr) {
    entry.append("error", call.error->message()).append("error_code", name_of(call.error->code()));
    if (!call.error->detail().empty()) entry.append("error_details", call.error->detail());
  }
  store(std::move(entry).finish());
}

void LogStore::add_entry(const bson::ObjectId& app_id, const std::string& group_id,
                         std::string_view type, const Document& fields) {
  const bson::Date time = now();
  const bson::ObjectId id = bson::ObjectId::generate();
  Builder entry;
  entry.append("_id", id).append("type", type);
  if (!fields.view().contains("co_id")) entry.append("co_id", id.to_hex());
  entry.append("app_id", app_id).append("group_id", group_id);
  entry.append("started", time).append("completed", time).append_all(fields);
  store(std::move(entry).finish());
}

namespace {

Document filter_of(const LogQuery& query) {
  Builder filter;
  if (query.app) filter.append("app_id", *query.app);
  if (!query.request.empty()) filter.append("co_id", query.request);
  if (!query.user.empty()) filter.append("user_id", query.user);
  if (!query.types.empty()) {
    filter.open_object("type").open_array("$in");
    for (const std::string& type : query.types) filter.push(type);
    filter.close().close();
  }
  if (query.errors_only) filter.open_object("error").append("$exists", true).close();
  if (query.after || query.until) {
    filter.open_object("started");
    if (query.after) filter.append("$gt", *query.after);
    if (query.until) filter.append("$lte", *query.until);
    filter.close();
  }
  return std::move(filter).finish();
}

}  // namespace

Task<std::vector<Document>> LogStore::find(LogQuery query) const {
  const Document filter = filter_of(query);
  Builder order;
  order.append("started", std::int32_t{-1}).append("_id", std::int32_t{-1});
  datasource::FindOptions options;
  options.sort = std::move(order).finish();
  options.skip = query.skip;
  options.limit = query.limit;
  co_return co_await logs_.find(filter, options);
}

Task<LogTotals> LogStore::totals(LogQuery query) const {
  const Document filter = filter_of(query);
  Builder pipeline;
  pipeline.open_object("0").append("$match", filter).close();
  pipeline.open_object("1").open_object("$group").append("_id", bson::Null{});
  pipeline.open_object("entries").append("$sum", std::int32_t{1}).close();
  pipeline.open_object("millis").open_object("$sum").open_array("$subtract");
  pipeline.push("$completed").push("$started").close().close().close();
  pipeline.close().close();
  const Document stages = std::move(pipeline).finish();
  RESTITCH_CO_TRY(const auto found, co_await logs_.aggregate(stages));
  LogTotals totals;
  if (found.empty()) co_return totals;
  totals.entries = found.front()["entries"].as_integer().value_or(0);
  totals.run_seconds = found.front()["millis"].as_double().value_or(0) / 1000;
  co_return totals;
}

void LogStore::store(Document entry) {
  if (pending_.fetch_add(1) >= kMaxPending) {
    pending_.fetch_sub(1);
    dropped_entries().add();
    return;
  }
  auto insert = [](datasource::Collection logs, Document document) -> asio::awaitable<void> {
    datasource::CallOptions relaxed;
    relaxed.relaxed_durability = true;
    const auto stored = co_await logs.insert_one(document, relaxed);
    if (!stored)
      RESTITCH_LOG(kWarning, kApp, 3001, "Cannot store a log entry",
                   {"error", stored.error().message()});
  };
  boost::asio::co_spawn(threads_.next(), insert(logs_, std::move(entry)),
                        [this](std::exception_ptr) {
                          if (pending_.fetch_sub(1) == 1) pending_.notify_all();
                        });
}

void LogStore::drain() {
  for (std::size_t waiting = pending_.load(); waiting != 0; waiting = pending_.load())
    pending_.wait(waiting);
}

}  // namespace restitch::deployment
