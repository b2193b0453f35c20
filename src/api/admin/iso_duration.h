#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace restitch::api::admin {

// An ISO 8601 duration of fixed length: weeks, days, hours, minutes and whole seconds ("P31D",
// "PT1H", "P1DT12H"), at most ten years. Nothing for another text; months and years have no fixed
// length.
std::optional<std::chrono::seconds> parse_iso_duration(std::string_view text);

}  // namespace restitch::api::admin
