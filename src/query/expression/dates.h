#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "query/expression/calendar.h"
#include "query/expression/operator.h"
#include "query/expression/time_zone.h"

namespace restitch::query {

// The moment a number of units later; calendar units and days keep the wall clock of the zone.
// Nothing on overflow.
std::optional<std::int64_t> add_time(std::int64_t utc, TimeUnit unit, std::int64_t amount,
                                     const TimeZone& zone);

// Milliseconds of a date, timestamp or ObjectId; error 16006 for other types.
Result<std::int64_t> coerce_to_millis(bson::ValueView value);
bool is_date_like(bson::ValueView value);

// A `timezone` operand that is neither null nor missing; error `code` when it is no string.
Result<TimeZone> read_time_zone(bson::ValueView value, int code, std::string_view name);

// Reads date text without a format. `zone`: from the operand, for texts without one of their own.
// Errors 241.
Result<std::int64_t> parse_date_text(std::string_view text, const TimeZone* zone);
// The same by a format of $dateFromString.
Result<std::int64_t> parse_date_with_format(std::string_view text, std::string_view format,
                                            const TimeZone* zone);
// Checks the `%` specifiers: 18535, 18536.
Status check_date_format(std::string_view format, bool parsing);
// Error 18537 outside the years 0 to 9999.
Result<std::string> format_date(std::int64_t utc_millis, std::string_view format,
                                const TimeZone& zone);

}  // namespace restitch::query
