#include <algorithm>
#include <array>
#include <chrono>
#include <map>

#include "api/admin/entities.h"
#include "api/admin/iso_duration.h"
#include "api/admin/paging.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

using deployment::LogGroup;
using deployment::LogUsage;

constexpr Family kMetrics{};
constexpr std::int64_t kMostPoints = 2000;

// The time that is asked for, cut into periods of equal length; the last one may be shorter.
struct Period {
  bson::Date start, end;
  std::chrono::milliseconds length{0};
  std::string granularity;

  std::int64_t points() const {
    return (end.millis - start.millis + length.count() - 1) / length.count();
  }
  bson::Date begin_of(std::int64_t point) const {
    return bson::Date{start.millis + point * length.count()};
  }
  // A point stands for what came since the one before it.
  bson::Date end_of(std::int64_t point) const {
    return bson::Date{std::min(begin_of(point + 1).millis, end.millis)};
  }
  double seconds_of(std::int64_t point) const {
    return static_cast<double>(end_of(point).millis - begin_of(point).millis) / 1000;
  }
};

Result<Period> make_period(bson::Date start, bson::Date end, std::string granularity) {
  const auto length = parse_iso_duration(granularity);
  if (!length) {
    return Error(ErrorCode::kInvalidArgument,
                 "'granularity' must be an ISO 8601 duration of weeks, days, hours, minutes and "
                 "seconds, e.g. PT1H");
  }
  Period period{start, end, *length, std::move(granularity)};
  if (end.millis <= start.millis) {
    return Error(ErrorCode::kInvalidArgument, "'end' must be later than 'start'");
  }
  if (period.points() > kMostPoints) {
    return Error(ErrorCode::kInvalidArgument,
                 "the period has more than " + std::to_string(kMostPoints) +
                     " points of that granularity");
  }
  return period;
}

// What is counted: requests of clients and events of triggers, and deliveries of log forwarders.
constexpr std::string_view kForwarders = "LF";

std::vector<LogGroup> groups() {
  return {{"AUTH", {"AUTH", "API_KEY"}},
          {"ENDPOINTS", {"ENDPOINT", "WEBHOOK"}},
          {"SDK", {"FUNCTION"}},
          {"SDK_MQL", {"SERVICE_FUNCTION"}},
          {"TRIGGERS", {"DB_TRIGGER", "AUTH_TRIGGER", "SCHEDULED_TRIGGER"}},
          {std::string(kForwarders), {"LOG_FORWARDER"}}};
}

// What the log holds of a period, by group and point.
class Usage {
 public:
  explicit Usage(std::vector<LogUsage> cells) {
    for (LogUsage& cell : cells) {
      if (cell.group != kForwarders) add(cells_[{"", cell.period}], cell);
      const std::pair<std::string, std::int64_t> key(cell.group, cell.period);
      cells_[key] = std::move(cell);
    }
  }

  // `group` is "" for all requests and events.
  LogUsage at(std::string_view group, std::int64_t point) const {
    const auto cell = cells_.find({std::string(group), point});
    return cell == cells_.end() ? LogUsage() : cell->second;
  }

 private:
  static void add(LogUsage& sum, const LogUsage& cell) {
    sum.succeeded += cell.succeeded;
    sum.failed += cell.failed;
    sum.run_millis += cell.run_millis;
  }

  std::map<std::pair<std::string, std::int64_t>, LogUsage> cells_;
};

Task<Usage> usage_of(AdminApi& api, const AdminRequest& request, const Period& period) {
  deployment::LogQuery query;
  if (request.app) query.app = request.app->identity().id;
  query.after = bson::Date{period.start.millis - 1};
  query.until = bson::Date{period.end.millis - 1};
  RESTITCH_CO_TRY(auto cells, co_await api.logs().usage(std::move(query), groups(), period.start,
                                                        period.length));
  co_return Usage(std::move(cells));
}

// Writes one member of `measurements`. `value` gives a point's.
template <typename Value>
void append_measurement(bson::Builder& out, std::string_view name, std::string_view units,
                        const Period& period, Value value) {
  out.push_object().append("name", name).append("units", units).open_array("data_points");
  for (std::int64_t point = 0; point < period.points(); ++point) {
    out.push_object().append("timestamp", iso_text(period.end_of(point)));
    out.append("value", value(point)).close();
  }
  out.close().close();
}

void append_period(bson::Builder& out, AdminApi& api, const Period& period) {
  out.append("start", iso_text(period.start)).append("end", iso_text(period.end));
  out.append("granularity", period.granularity).append("group_id", api.apps().group_id());
}

// What is billed elsewhere. Requests and run times are those in the log.

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kMeasurements = {{
    {"request_count", ""},
    {"compute_time", "HOURS"},
    {"data_out", "GIGABYTES"},
    {"sync_time", "HOURS"},
    {"mem_usage", "GIGABYTE_SECONDS"},
}};
constexpr double kMillisOfHour = 3'600'000;

// From the first of this month to the first of the next one.
std::pair<bson::Date, bson::Date> this_month() {
  using namespace std::chrono;
  const year_month_day today(floor<days>(system_clock::now()));
  const year_month month = today.year() / today.month();
  const auto millis = [](year_month_day day) {
    return bson::Date{duration_cast<milliseconds>(sys_days(day).time_since_epoch()).count()};
  };
  return {millis(month / 1), millis((month + months(1)) / 1)};
}

Task<AdminReply> measurements(AdminApi& api, AdminRequest& request) {
  const std::string granularity = request.query_value("granularity").value_or("P31D");
  if (granularity != "P31D" && granularity != "PT1H") {
    co_return Error(ErrorCode::kInvalidArgument, "'granularity' must be P31D or PT1H");
  }
  const auto [first, next] = this_month();
  RESTITCH_CO_TRY(const auto start, date_parameter(request, "start"));
  RESTITCH_CO_TRY(const auto end, date_parameter(request, "end"));
  RESTITCH_CO_TRY(const Period period,
                  make_period(start.value_or(first), end.value_or(next), granularity));
  RESTITCH_CO_TRY(const Usage usage, co_await usage_of(api, request, period));
  bson::Builder out;
  append_period(out, api, period);
  if (request.app) {
    out.append("appId", request.app->identity().id.to_hex());
    out.append("appName", request.app->identity().name);
  }
  out.open_array("measurements");
  for (const auto& [name, units] : kMeasurements) {
    append_measurement(out, name, units, period, [&, name = name](std::int64_t point) {
      const LogUsage sum = usage.at("", point);
      if (name == "compute_time") return sum.run_millis / kMillisOfHour;
      if (name != "request_count") return 0.0;
      return static_cast<double>(sum.succeeded + sum.failed);
    });
  }
  out.close();
  co_return AdminReply::of(std::move(out).finish());
}

// Rates and times of the metrics reference, as far as the log tells of them.

enum class Kind : std::uint8_t { kSucceeded, kFailed, kRunMillis, kSlowMillis };

struct Metric {
  std::string_view name, group;
  Kind kind;
};
constexpr std::array kAllMetrics = {
    Metric{"AUTH_FAILED_REQUESTS", "AUTH", Kind::kFailed},
    Metric{"AUTH_RESPONSE_MS", "AUTH", Kind::kSlowMillis},
    Metric{"AUTH_SUCCESSFUL_LOGIN", "AUTH", Kind::kSucceeded},
    Metric{"AUTH_SUCCESSFUL_REQUESTS", "AUTH", Kind::kSucceeded},
    Metric{"ENDPOINTS_COMPUTE_MS", "ENDPOINTS", Kind::kRunMillis},
    Metric{"ENDPOINTS_FAILED_REQUEST", "ENDPOINTS", Kind::kFailed},
    Metric{"ENDPOINTS_RESPONSE_MS", "ENDPOINTS", Kind::kSlowMillis},
    Metric{"ENDPOINTS_SUCCESSFUL_REQUESTS", "ENDPOINTS", Kind::kSucceeded},
    Metric{"LF_RESPONSE_MS", kForwarders, Kind::kSlowMillis},
    Metric{"OVERALL_COMPUTE_MS", "", Kind::kRunMillis},
    Metric{"OVERALL_FAILED_REQUESTS", "", Kind::kFailed},
    Metric{"OVERALL_SUCCESSFUL_REQUESTS", "", Kind::kSucceeded},
    Metric{"SDK_COMPUTE_MS", "SDK", Kind::kRunMillis},
    Metric{"SDK_FAILED_REQUESTS", "SDK", Kind::kFailed},
    Metric{"SDK_FNS_RESPONSE_MS", "SDK", Kind::kSlowMillis},
    Metric{"SDK_MQL_COMPUTE_MS", "SDK_MQL", Kind::kRunMillis},
    Metric{"SDK_MQL_FAILED_REQUESTS", "SDK_MQL", Kind::kFailed},
    Metric{"SDK_MQL_RESPONSE_MS", "SDK_MQL", Kind::kSlowMillis},
    Metric{"SDK_MQL_SUCCESSFUL_REQUESTS", "SDK_MQL", Kind::kSucceeded},
    Metric{"SDK_SUCCESSFUL_REQUESTS", "SDK", Kind::kSucceeded},
    Metric{"TRIGGERS_COMPUTE_MS", "TRIGGERS", Kind::kRunMillis},
    Metric{"TRIGGERS_FAILED_REQUESTS", "TRIGGERS", Kind::kFailed},
    Metric{"TRIGGERS_RESPONSE_MS", "TRIGGERS", Kind::kSlowMillis},
    Metric{"TRIGGERS_SUCCESSFUL_REQUESTS", "TRIGGERS", Kind::kSucceeded},
};

std::string_view units_of(Kind kind) {
  return kind == Kind::kSlowMillis ? "MILLISECONDS" : "SCALAR_PER_SECOND";
}

double value_of(Kind kind, const LogUsage& usage, double seconds) {
  switch (kind) {
    case Kind::kSucceeded:
      return static_cast<double>(usage.succeeded) / seconds;
    case Kind::kFailed:
      return static_cast<double>(usage.failed) / seconds;
    case Kind::kRunMillis:
      return usage.run_millis / seconds;
    case Kind::kSlowMillis:
      return usage.slow_run_millis;
  }
  return 0;
}

// Those that the query names; all when it names none.
Result<std::vector<Metric>> wanted_metrics(const AdminRequest& request) {
  std::vector<Metric> wanted;
  for (const auto& [name, value] : request.query) {
    if (name != "metrics") continue;
    for (const std::string& metric : comma_separated(value)) {
      const auto known = std::find_if(kAllMetrics.begin(), kAllMetrics.end(),
                                      [&](const Metric& one) { return one.name == metric; });
      if (known == kAllMetrics.end()) {
        return Error(ErrorCode::kInvalidArgument, "the server does not measure '" + metric + "'");
      }
      wanted.push_back(*known);
    }
  }
  if (wanted.size() > kAllMetrics.size()) {
    return Error(ErrorCode::kInvalidArgument, "'metrics' names one twice");
  }
  if (wanted.empty()) wanted.assign(kAllMetrics.begin(), kAllMetrics.end());
  return wanted;
}

Result<Period> period_of(const AdminRequest& request) {
  for (const char* name : {"start", "end", "granularity"}) {
    if (request.query_value(name).value_or("").empty()) {
      return Error(ErrorCode::kMissingParameter, "'" + std::string(name) + "' is required");
    }
  }
  RESTITCH_TRY(const auto start, date_parameter(request, "start"));
  RESTITCH_TRY(const auto end, date_parameter(request, "end"));
  return make_period(*start, *end, *request.query_value("granularity"));
}

Task<AdminReply> metrics(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const Period period, period_of(request));
  RESTITCH_CO_TRY(const std::vector<Metric> wanted, wanted_metrics(request));
  RESTITCH_CO_TRY(const Usage usage, co_await usage_of(api, request, period));
  bson::Builder out;
  append_period(out, api, period);
  out.append("app_id", request.app->identity().id.to_hex());
  out.append("app_name", request.app->identity().name).open_array("measurements");
  for (const Metric& metric : wanted) {
    append_measurement(out, metric.name, units_of(metric.kind), period, [&](std::int64_t point) {
      return value_of(metric.kind, usage.at(metric.group, point), period.seconds_of(point));
    });
  }
  out.close();
  co_return AdminReply::of(std::move(out).finish());
}

}  // namespace

std::vector<Route> metric_routes() {
  return {
      app_route("GET", "/measurements", kMetrics, &measurements),
      app_route("GET", "/metrics", kMetrics, &metrics),
      {"GET", PathPattern("/admin/v3.0/groups/{group}/measurements"), Scope::kGroup, &kMetrics,
       &measurements},
  };
}

}  // namespace restitch::api::admin
