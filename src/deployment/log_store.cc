#include "deployment/log_store.h"

#include "auth/store.h"
#include "deployment/expiry.h"
#include "deployment/time_filter.h"

namespace restitch::deployment {
namespace {

using bson::Builder;
using bson::Document;

constexpr double kSlowShare = 0.95;

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

LogStore::LogStore(std::shared_ptr<datasource::DataSource> state, runtime::IoThreads& threads,
                   LogSettings settings)
    : state_(std::move(state)),
      settings_(std::move(settings)),
      rate_(settings_.rate),
      logs_(*state_, std::string(auth::kStateDatabase), "logs"),
      queue_(std::make_shared<LogQueue>(state_, threads, logs_)),
      forwarding_(threads, [this](const DeployedApp& app, const Document& fields) {
        add_entry(app.id, app.group_id, "LOG_FORWARDER", fields);
      }) {}

void LogStore::add(const bson::ObjectId& app_id, std::string_view type, Builder entry) {
  if (const std::int64_t left_out = rate_.take_left_out(app_id, type); left_out > 0)
    entry.append("entries_left_out", left_out);
  Document finished = std::move(entry).finish();
  forwarding_.offer(app_id, finished);
  queue_->add(std::move(finished));
}

Task<void> LogStore::prepare() {
  RESTITCH_CO_CHECK(co_await ensure_expiry(logs_, "started", settings_.days));
  Builder by_app;
  by_app.append("app_id", std::int32_t{1}).append("started", std::int32_t{-1});
  const Document app_and_time = std::move(by_app).finish();
  RESTITCH_CO_CHECK(co_await logs_.ensure_index(app_and_time));
  co_return Status();
}

void LogStore::add_function_call(const bson::ObjectId& app_id, const std::string& group_id,
                                 const functions::CallLog& call) {
  const bool tells_more =
      call.error != nullptr || !call.outcome.logs.empty() || !call.outcome.error_logs.empty();
  if (!tells_more && !rate_.admits(app_id, call.request.log_type, LogRate::Clock::now())) return;
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
    entry.append("error", call.error->message()).append("error_code", code_of(call.error->code()));
    if (!call.error->detail().empty()) entry.append("error_details", call.error->detail());
  }
  add(app_id, call.request.log_type, std::move(entry));
}

void LogStore::add_entry(const bson::ObjectId& app_id, const std::string& group_id,
                         std::string_view type, const Document& fields,
                         std::chrono::milliseconds run_time) {
  const bson::Date completed = now();
  const bson::ObjectId id = bson::ObjectId::generate();
  Builder entry;
  entry.append("_id", id).append("type", type);
  if (!fields.view().contains("co_id")) entry.append("co_id", id.to_hex());
  entry.append("app_id", app_id).append("group_id", group_id);
  entry.append("started", bson::Date{completed.millis - run_time.count()});
  entry.append("completed", completed).append_all(fields);
  add(app_id, type, std::move(entry));
}

bool LogStore::wants_request(const bson::ObjectId& app_id, std::string_view type, bool is_write,
                             bool has_failed) {
  if (has_failed) return true;
  const bool is_wanted = settings_.requests == RequestLogs::kAll ||
                         (is_write && settings_.requests == RequestLogs::kWrites);
  return is_wanted && rate_.admits(app_id, type, LogRate::Clock::now());
}

std::string LogStore::code_of(ErrorCode code) const {
  return settings_.code_of ? settings_.code_of(code) : std::string(name_of(code));
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
  match_time(filter, "started", query.after, query.until);
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

namespace {

// {$switch: …}: the name of the group of an entry's type.
void append_group_name(Builder& out, const std::vector<LogGroup>& groups) {
  out.open_object("group").open_object("$switch").open_array("branches");
  for (const LogGroup& group : groups) {
    out.push_object().open_object("case").open_array("$in").push("$type").push_open_array();
    for (const std::string& type : group.types) out.push(type);
    out.close().close().close().append("then", group.name).close();
  }
  out.close().close().close();
}

Document usage_stages(const LogQuery& query, const std::vector<LogGroup>& groups, bson::Date start,
                      std::chrono::milliseconds length) {
  Builder out;
  out.open_object("0").append("$match", filter_of(query)).close();
  out.open_object("1").open_object("$set");
  out.open_object("millis").open_array("$subtract").push("$completed").push("$started");
  out.close().close().close().close();
  out.open_object("2").open_object("$group").open_object("_id");
  append_group_name(out, groups);
  out.open_object("period").open_array("$floor").push_object().open_array("$divide").push_object();
  out.open_array("$subtract").push("$started").push(start).close().close();
  out.push(static_cast<std::int64_t>(length.count())).close().close().close().close().close();
  out.open_object("entries").open_object("$sum").open_array("$add").push(std::int32_t{1});
  out.push_object().open_array("$ifNull").push("$entries_left_out").push(std::int32_t{0});
  out.close().close().close().close().close();
  out.open_object("failed").open_object("$sum").open_array("$cond").push_object();
  out.open_array("$gt").push("$error").push(bson::Null{}).close().close();
  out.push(std::int32_t{1}).push(std::int32_t{0}).close().close().close();
  out.open_object("millis").append("$sum", "$millis").close();
  out.open_object("slow").open_object("$percentile").append("input", "$millis");
  out.open_array("p").push(kSlowShare).close().append("method", "approximate").close().close();
  out.close().close();
  return std::move(out).finish();
}

LogUsage usage_from(bson::View cell) {
  LogUsage usage;
  usage.group = std::string(cell.find_path("_id.group").as_string().value_or(""));
  usage.period = static_cast<std::int64_t>(cell.find_path("_id.period").as_double().value_or(0));
  usage.failed = cell["failed"].as_integer().value_or(0);
  usage.succeeded = cell["entries"].as_integer().value_or(0) - usage.failed;
  usage.run_millis = cell["millis"].as_double().value_or(0);
  const bson::View slow = cell["slow"].as_array().value_or(bson::View());
  usage.slow_run_millis = slow["0"].as_double().value_or(0);
  return usage;
}

}  // namespace

Task<std::vector<LogUsage>> LogStore::usage(LogQuery query, std::vector<LogGroup> groups,
                                            bson::Date start,
                                            std::chrono::milliseconds length) const {
  query.types.clear();
  for (const LogGroup& group : groups) {
    query.types.insert(query.types.end(), group.types.begin(), group.types.end());
  }
  const Document stages = usage_stages(query, groups, start, length);
  RESTITCH_CO_TRY(const auto cells, co_await logs_.aggregate(stages));
  std::vector<LogUsage> list;
  for (const Document& cell : cells) list.push_back(usage_from(cell));
  co_return list;
}

void LogStore::drain() { queue_->drain(); }

}  // namespace restitch::deployment
