#pragma once

#include <string>

namespace restitch::server {

// A number that changes when a file below the directory is added, removed, resized or written. Dependencies
// (node_modules) and version control data are not looked at.
std::size_t fingerprint_of_directory(const std::string& directory);

}  // namespace restitch::server
