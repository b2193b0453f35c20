#include "api/admin/entities.h"
#include "api/admin/paging.h"
#include "api/admin/routes.h"
#include "api/http_error.h"

namespace restitch::api::admin {
namespace {

constexpr Family kLogs{};

// The server's name of a failure in the clients' words.
std::string client_code(std::string_view stored) {
  for (auto number = static_cast<int>(ErrorCode::kInvalidArgument);
       number <= static_cast<int>(ErrorCode::kInternal); ++number) {
    const auto code = static_cast<ErrorCode>(number);
    if (name_of(code) == stored) return std::string(http_error_of(code).error_code);
  }
  return std::string(stored);
}

Members view(const bson::Document& entry) {
  Members out;
  for (const bson::Element& member : entry.view()) {
    if (member.name == "error_code") {
      const std::string code = client_code(member.value.as_string().value_or(""));
      if (!code.empty()) out.set(member.name, bson::Value::of(code));
    } else {
      out.set(member.name, shown_value(member.value));
    }
  }
  return out;
}

Task<AdminReply> list(AdminApi& api, AdminRequest& request) {
  deployment::LogQuery query;
  query.app = request.app->identity().id;
  query.request = request.query_value("co_id").value_or("");
  query.user = request.query_value("user_id").value_or("");
  query.types = comma_separated(request.query_value("type").value_or(""));
  query.errors_only = request.query_value("errors_only").has_value();
  RESTITCH_CO_TRY(const TimePage page, read_time_page(request));
  query.after = page.after;
  query.until = page.until;
  query.skip = page.skip;
  query.limit = page.wanted();
  RESTITCH_CO_TRY(auto entries, co_await api.logs().find(std::move(query)));
  bson::Builder out;
  end_time_page(out, page, entries, "started");
  out.open_array("logs");
  for (const bson::Document& entry : entries) out.push(view(entry).document());
  out.close();
  co_return AdminReply::of(std::move(out).finish());
}

}  // namespace

std::vector<Route> log_routes() {
  return {app_route("GET", "/logs", kLogs, &list)};
}

}  // namespace restitch::api::admin
