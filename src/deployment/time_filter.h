#pragma once

#include <optional>
#include <string_view>

#include "bson/document.h"

namespace restitch::deployment {

// Has a filter ask for a time in `member` later than `after`, and at or before `until`; nothing = any.
void match_time(bson::Builder& filter, std::string_view member,
                const std::optional<bson::Date>& after, const std::optional<bson::Date>& until);

}  // namespace restitch::deployment
