#include "api/admin/paging.h"

#include <algorithm>

#include "bson/iso_date.h"

namespace restitch::api::admin {
namespace {

constexpr std::int64_t kMaxPage = 100;
constexpr std::int64_t kMaxSkip = 1'000'000;

Result<std::int64_t> number_parameter(const AdminRequest& request, const char* name,
                                      std::int64_t fallback, std::int64_t most) {
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

bson::Date time_of(const bson::Document& entry, std::string_view member) {
  const bson::ValueView time = entry[member];
  return time.type() == bson::Type::kDate ? time.get_date() : bson::Date{};
}

}  // namespace

Result<std::optional<bson::Date>> date_parameter(const AdminRequest& request,
                                                 std::string_view name) {
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

Result<TimePage> read_time_page(const AdminRequest& request) {
  TimePage page;
  RESTITCH_TRY(page.after, date_parameter(request, "start_date"));
  RESTITCH_TRY(page.until, date_parameter(request, "end_date"));
  RESTITCH_TRY(page.skip, number_parameter(request, "skip", 0, kMaxSkip));
  RESTITCH_TRY(page.limit, number_parameter(request, "limit", kMaxPage, kMaxPage));
  if (page.limit == 0) page.limit = kMaxPage;
  return page;
}

void end_time_page(bson::Builder& out, const TimePage& page, std::vector<bson::Document>& entries,
                   std::string_view member) {
  if (static_cast<std::int64_t>(entries.size()) <= page.limit) return;
  entries.pop_back();
  const bson::Date boundary = time_of(entries.back(), member);
  out.append("nextEndDate", iso_text(boundary));
  std::int64_t repeated = 0;
  for (const bson::Document& entry : entries) {
    repeated += time_of(entry, member).millis == boundary.millis ? 1 : 0;
  }
  if (page.until && page.until->millis == boundary.millis) repeated += page.skip;
  out.append("nextSkip", repeated);
}

std::string iso_text(bson::Date date) {
  std::string text;
  bson::append_iso_date(text, date.millis);
  return text;
}

bson::Value shown_value(bson::ValueView stored) {
  if (const auto id = stored.as_object_id()) return bson::Value::of(id->to_hex());
  if (stored.type() == bson::Type::kDate) return bson::Value::of(iso_text(stored.get_date()));
  return bson::Value(stored);
}

}  // namespace restitch::api::admin
