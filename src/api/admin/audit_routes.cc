#include "api/admin/entities.h"
#include "api/admin/paging.h"
#include "api/admin/routes.h"

namespace restitch::api::admin {
namespace {

constexpr Family kAudit{};

Members view(const bson::Document& entry) {
  Members out;
  for (const bson::Element& member : entry.view()) out.set(member.name, shown_value(member.value));
  return out;
}

deployment::AuditQuery query_of(const AdminRequest& request, const TimePage& page) {
  deployment::AuditQuery query;
  query.app = request.app ? request.app->identity().id.to_hex()
                          : request.query_value("app").value_or("");
  query.administrator = request.query_value("user").value_or("");
  query.request = request.query_value("co_id").value_or("");
  query.method = request.query_value("method").value_or("");
  query.path = request.query_value("path").value_or("");
  query.refused_only = request.query_value("errors_only").has_value();
  query.after = page.after;
  query.until = page.until;
  query.skip = page.skip;
  query.limit = page.wanted();
  return query;
}

// Of the whole group, or of the app below which it is asked for.
Task<AdminReply> list(AdminApi& api, AdminRequest& request) {
  RESTITCH_CO_TRY(const TimePage page, read_time_page(request));
  deployment::AuditQuery query = query_of(request, page);
  RESTITCH_CO_TRY(auto entries, co_await api.audit().find(std::move(query)));
  bson::Builder out;
  end_time_page(out, page, entries, "time");
  out.open_array("entries");
  for (const bson::Document& entry : entries) out.push(view(entry).document());
  out.close();
  co_return AdminReply::of(std::move(out).finish());
}

}  // namespace

std::vector<Route> audit_routes() {
  return {
      {"GET", PathPattern("/admin/v3.0/groups/{group}/audit_log"), Scope::kGroup, &kAudit, &list},
      app_route("GET", "/audit_log", kAudit, &list),
  };
}

}  // namespace restitch::api::admin
