#include "deployment/time_filter.h"

namespace restitch::deployment {

void match_time(bson::Builder& filter, std::string_view member,
                const std::optional<bson::Date>& after, const std::optional<bson::Date>& until) {
  if (!after && !until) return;
  filter.open_object(member);
  if (after) filter.append("$gt", *after);
  if (until) filter.append("$lte", *until);
  filter.close();
}

}  // namespace restitch::deployment
