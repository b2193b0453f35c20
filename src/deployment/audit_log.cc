#include "deployment/audit_log.h"

#include "auth/state_queries.h"
#include "base/encoding.h"
#include "deployment/expiry.h"
#include "deployment/time_filter.h"

namespace restitch::deployment {
namespace {

using bson::Builder;
using bson::Document;

constexpr std::size_t kMaxPathBytes = 2000;

// What the store takes and answers can carry.
std::string_view storable(std::string_view path) {
  const std::string_view part = path.substr(0, kMaxPathBytes);
  return is_valid_utf8(part) ? part : "not UTF-8";
}

// The app by either of its ids.
void match_app(Builder& filter, const std::string& app) {
  const auto id = bson::ObjectId::from_hex(app);
  if (id) {
    filter.append("app_id", *id);
  } else {
    filter.append("client_app_id", app);
  }
}

void match_part(Builder& filter, std::string_view member, const std::string& part) {
  filter.open_object("$expr").open_array("$gte");
  filter.push_object().open_array("$indexOfBytes").push("$" + std::string(member));
  filter.push(bson::make_document("$literal", part)).close().close();
  filter.push(std::int32_t{0}).close().close();
}

Document filter_of(const AuditQuery& query) {
  Builder filter;
  if (!query.app.empty()) match_app(filter, query.app);
  if (!query.administrator.empty()) {
    const bool is_id = bson::ObjectId::from_hex(query.administrator).has_value();
    filter.append(is_id ? "user_id" : "username", query.administrator);
  }
  if (!query.request.empty()) filter.append("co_id", query.request);
  if (!query.method.empty()) filter.append("request_method", query.method);
  if (!query.path.empty()) match_part(filter, "request_url", query.path);
  if (query.refused_only) {
    filter.open_object("status").append("$gte", std::int32_t{400}).close();
  }
  match_time(filter, "time", query.after, query.until);
  return std::move(filter).finish();
}

}  // namespace

AuditLog::AuditLog(std::shared_ptr<datasource::DataSource> state, std::int64_t days)
    : state_(std::move(state)), days_(days), entries_(auth::collection(*state_, "audit_log")) {}

Task<void> AuditLog::prepare() {
  RESTITCH_CO_CHECK(co_await ensure_expiry(entries_, "time", days_));
  Builder keys;
  keys.append("app_id", std::int32_t{1}).append("time", std::int32_t{-1});
  const Document app_and_time = std::move(keys).finish();
  RESTITCH_CO_CHECK(co_await entries_.ensure_index(app_and_time));
  co_return Status();
}

Task<void> AuditLog::add(AuditEntry entry) const {
  Builder out;
  out.append("_id", bson::ObjectId::generate()).append("co_id", entry.request_id);
  out.append("time", bson::Date{auth::now_millis()});
  if (!entry.administrator.empty()) {
    out.append("user_id", entry.administrator).append("username", entry.username);
  }
  out.append("origin", entry.origin).append("remote_ip_address", entry.address);
  out.append("request_method", entry.method);
  out.append("request_url", storable(entry.path));
  if (entry.app) out.append("app_id", *entry.app).append("client_app_id", entry.client_app_id);
  out.append("status", std::int32_t{entry.status});
  const Document document = std::move(out).finish();
  RESTITCH_CO_CHECK(co_await entries_.insert_one(document));
  co_return Status();
}

Task<std::vector<Document>> AuditLog::find(AuditQuery query) const {
  const Document filter = filter_of(query);
  Builder order;
  order.append("time", std::int32_t{-1}).append("_id", std::int32_t{-1});
  datasource::FindOptions options;
  options.sort = std::move(order).finish();
  options.skip = query.skip;
  options.limit = query.limit;
  co_return co_await entries_.find(filter, options);
}

}  // namespace restitch::deployment
