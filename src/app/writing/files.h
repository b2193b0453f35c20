#pragma once

#include <map>
#include <set>
#include <string>

#include "app/tree.h"
#include "base/result.h"
#include "bson/document.h"

namespace restitch::app {

// The files of a directory: relative path to content, and directories that are to exist though
// empty.
struct Files {
  std::map<std::string, std::string> contents;
  std::set<std::string> directories;
};

// JSON as exports have it: indented by four spaces, a line break at the end.
std::string json_text(bson::ValueView value, std::size_t indent = 4);

// The files of a configuration as they stand on disk.
Files to_files(const Tree& tree);

// Whether a path stays below the directory that it is relative to, on any system.
bool is_safe_path(std::string_view path);

// Writes the files below `directory`, each one whole or not at all; other files there stay. Links
// in the way are not followed out of the directory.
Status write_directory(const Files& files, const std::string& directory);

}  // namespace restitch::app
