#pragma once

#include <cstdint>
#include <string_view>

namespace restitch::app {

enum class FileKind : std::uint8_t { kNone, kJson, kSource };

// What a file at `path` (relative to the app root) is in a layout; kNone for files that no layout
// knows. The root file is not among them.
FileKind kind_of_file(std::string_view path, bool is_legacy);

// Whether a known file can be below the directory `path`.
bool may_hold_files(std::string_view path, bool is_legacy);

}  // namespace restitch::app
