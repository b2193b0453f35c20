#include <algorithm>
#include <array>

#include "api/admin/entities.h"
#include "api/admin/routes.h"
#include "api/http_error.h"
#include "bson/iso_date.h"

namespace restitch::api::admin {
namespace {

constexpr Family kLogs{};
constexpr std::int64_t kMaxPage = 100;

std::string iso(bson::Date date) {
  std::string text;
  bson::append_iso_date(text, date.millis);
  return text;
}

Result<std::optional<bson::Date>> date_of(const AdminRequest& request, const char* name) {
  const auto text = request.query_value(name);
  if (!text || text->empty()) return std::optional<bson::Date>();
  // "+" of a zone that nobody escaped arrives as a space.
  std::string cleaned = *text;
  std::replace(cleaned.begin(), cleaned.end(), ' ', '+');
  const auto date = bson::parse_iso_date(cleaned);
  if (!date) {
    return Error(ErrorCode::kInvalidArgument,
                 "'" + std::string(name) + "' must be an RFC 3339 time");
  }
  return std::optional<bson::Date>(bson::Date{*date});
}

Result<std::int64_t> number_of(const AdminRequest& request, const char* name, std::int64_t fallback,
                               std::int64_t most) {
  const auto text = request.query_value(name);
  if (!text || text->empty()) return fallback;
  std::int64_t value = 0;
  for (const char c : *text) {
    if (c < '0' || c > '9' || value > most) {
      value = -1;
      break;
    }
    value = value * 10 + (c - '0');
  }
  if (value < 0 || value > most) {
    return Error(ErrorCode::kInvalidArgument,
                 "'" + std::string(name) + "' must be a number up to " + std::to_string(most));
  }
  return value;
}

// The server's name of a failure in the clients' words.
std::string client_code(std::string_view stored) {
  for (auto number = static_cast<int>(ErrorCode::kInvalidArgument);
       number <= static_cast<int>(ErrorCode::kInternal); ++number) {
    const auto code = static_cast<ErrorCode>(number);
    if (name_of(code) == stored) return std::string(http_error_of(code).error_code);
  }
  return std::string(stored);
}

// A stored entry as callers decode one: ids and times are texts.
Members view(const bson::Document& entry) {
  Members out;
  for (const bson::Element& member : entry.view()) {
    if (const auto id = member.value.as_object_id()) {
      out.set(member.name, bson::Value::of(id->to_hex()));
    } else if (member.name == "error_code") {
      const std::string code = client_code(member.value.as_string().value_or(""));
      if (!code.empty()) out.set(member.name, bson::Value::of(code));
    } else if (member.value.type() == bson::Type::kDate) {
      out.set(member.name, bson::Value::of(iso(member.value.get_date())));
    } else {
      out.set(member.name, bson::Value(member.value));
    }
  }
  return out;
}

bson::Date started(const bson::Document& entry) {
  return entry["started"].type() == bson::Type::kDate ? entry["started"].get_date() : bson::Date{};
}

Task<AdminReply> list(AdminApi& api, AdminRequest& request) {
  deployment::LogQuery query;
  query.app = request.app->identity().id;
  query.request = request.query_value("co_id").value_or("");
  query.user = request.query_value("user_id").value_or("");
  query.types = comma_separated(request.query_value("type").value_or(""));
  query.errors_only = request.query_value("errors_only").has_value();
  RESTITCH_CO_TRY(query.after, date_of(request, "start_date"));
  RESTITCH_CO_TRY(query.until, date_of(request, "end_date"));
  RESTITCH_CO_TRY(query.skip, number_of(request, "skip", 0, 1'000'000));
  RESTITCH_CO_TRY(const std::int64_t limit, number_of(request, "limit", kMaxPage, kMaxPage));
  const std::int64_t page = limit == 0 ? kMaxPage : limit;
  query.limit = page + 1;
  const auto end_date = query.until;
  const std::int64_t skipped = query.skip;
  RESTITCH_CO_TRY(auto entries, co_await api.logs().find(std::move(query)));
  const bool has_more = static_cast<std::int64_t>(entries.size()) > page;
  if (has_more) entries.pop_back();
  bson::Builder out;
  out.open_array("logs");
  for (const bson::Document& entry : entries) out.push(view(entry).document());
  out.close();
  if (has_more) {
    const bson::Date boundary = started(entries.back());
    out.append("nextEndDate", iso(boundary));
    std::int64_t repeated = 0;
    for (const bson::Document& entry : entries) {
      repeated += started(entry).millis == boundary.millis ? 1 : 0;
    }
    if (end_date && end_date->millis == boundary.millis) repeated += skipped;
    out.append("nextSkip", repeated);
  }
  co_return AdminReply::of(std::move(out).finish());
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kMeasurements = {{
    {"request_count", ""},
    {"compute_time", "HOURS"},
    {"data_out", "GIGABYTES"},
    {"sync_time", "HOURS"},
    {"mem_usage", "GIGABYTE_SECONDS"},
}};

void append_period(bson::Builder& out, const AdminRequest& request,
                   const std::string& granularity) {
  for (const char* edge : {"start", "end"}) {
    out.append(edge, request.query_value(edge).value_or(
                         iso(bson::Date{deployment::now_in_seconds() * 1000})));
  }
  out.append("granularity", granularity);
}

// What the logs of the period hold; the server keeps no other account.
Task<AdminReply> measurements(AdminApi& api, AdminRequest& request) {
  deployment::LogQuery query;
  if (request.app) query.app = request.app->identity().id;
  RESTITCH_CO_TRY(query.after, date_of(request, "start"));
  RESTITCH_CO_TRY(query.until, date_of(request, "end"));
  RESTITCH_CO_TRY(const deployment::LogTotals totals, co_await api.logs().totals(std::move(query)));
  const std::string granularity = request.query_value("granularity").value_or("P31D");
  if (granularity != "P31D" && granularity != "PT1H") {
    co_return Error(ErrorCode::kInvalidArgument, "'granularity' must be P31D or PT1H");
  }
  bson::Builder out;
  append_period(out, request, granularity);
  out.append("group_id", api.apps().group_id()).open_array("measurements");
  for (const auto& [name, units] : kMeasurements) {
    double value = 0;
    if (name == "request_count") value = static_cast<double>(totals.entries);
    if (name == "compute_time") value = totals.run_seconds / 3600;
    out.push_object().append("name", name).append("units", units);
    out.open_array("data_points").push_object();
    out.append("timestamp", iso(bson::Date{deployment::now_in_seconds() * 1000}));
    out.append("value", value).close().close().close();
  }
  out.close();
  co_return AdminReply::of(std::move(out).finish());
}

}  // namespace

std::vector<Route> log_routes() {
  return {
      app_route("GET", "/logs", kLogs, &list),
      app_route("GET", "/measurements", kLogs, &measurements),
      {"GET", PathPattern("/admin/v3.0/groups/{group}/measurements"), Scope::kGroup, &kLogs,
       &measurements},
  };
}

}  // namespace restitch::api::admin
