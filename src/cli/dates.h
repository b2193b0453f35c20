#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace restitch::cli {

// Milliseconds since 1970 of an RFC 3339 time, or of any beginning of 2006-01-02T15:04:05.000-0700
// down to the day. Without an offset it is UTC.
std::optional<std::int64_t> parse_date(std::string_view text);

// 2006-01-02T15:04:05.999Z, milliseconds without trailing zeros, as queries have it.
std::string query_time(std::int64_t millis);
// 2006-01-02T15:04:05.000+0000, as log lines have it.
std::string log_time(std::int64_t millis);

std::int64_t now_millis();

}  // namespace restitch::cli
