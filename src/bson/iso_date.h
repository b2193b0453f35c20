#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace restitch::bson {

// Milliseconds since the epoch as "2012-12-24T12:15:30.501Z", without the fraction when it is zero.
// Only for years 0 to 9999 (`has_iso_form`).
void append_iso_date(std::string& out, std::int64_t millis);
bool has_iso_form(std::int64_t millis);

// Reads the same form: a date, optionally a time with or without seconds and fraction (digits after
// the third are cut off), and a zone "Z", "+01", "+0100" or "+01:00". A date alone is midnight UTC;
// a time needs a zone.
std::optional<std::int64_t> parse_iso_date(std::string_view text);

}  // namespace restitch::bson
