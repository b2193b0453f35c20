#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "app/config.h"
#include "base/result.h"
#include "bson/document.h"

namespace restitch::app {

inline constexpr std::size_t kMaxFileBytes = 16777216;

// Whole content; an error for what is no regular file, cannot be read, or is above kMaxFileBytes.
Result<std::string> read_text(const std::filesystem::path& path);

// Extended JSON as configuration files have it: a byte order mark and trailing commas are reported
// as warnings; a file whose wrappers are malformed is taken as plain JSON with a warning. Nothing
// if it does not parse (reported with line and column).
std::optional<bson::Value> parse_json_file(std::string_view text, const std::string& file,
                                           Findings& findings);

// The same text with no wrapper of Extended JSON interpreted.
std::optional<bson::Value> parse_plain_json(std::string_view text);

}  // namespace restitch::app
