#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/admin/admin_request.h"

namespace restitch::api::admin {

// One page of entries by time, newest first (spec: admin-api §15): the query parameters start_date
// (exclusive), end_date (inclusive), skip and limit.
struct TimePage {
  std::optional<bson::Date> after, until;
  std::int64_t skip = 0;
  std::int64_t limit = 0;

  // How many to ask for: one more tells that there is another page.
  std::int64_t wanted() const { return limit + 1; }
};

Result<TimePage> read_time_page(const AdminRequest& request);
// Takes away what is beyond the page, and says where the next one begins: nextEndDate, and nextSkip
// for entries of that very time that were on a page already. `member` holds an entry's time.
void end_time_page(bson::Builder& out, const TimePage& page, std::vector<bson::Document>& entries,
                   std::string_view member);

// A query parameter that is an RFC 3339 time, or nothing.
Result<std::optional<bson::Date>> date_parameter(const AdminRequest& request,
                                                 std::string_view name);
std::string iso_text(bson::Date date);

// A stored entry's member as callers decode it: ids and times are texts.
bson::Value shown_value(bson::ValueView stored);

}  // namespace restitch::api::admin
