#pragma once

#include <string>

#include "base/result.h"

namespace restitch::functions {

// A package.json as npm gets it: what it needs to install, and nothing that makes it run scripts or
// read the server's files.
struct PackageManifest {
  std::string text;  // JSON
  std::string lock;  // package-lock.json; "" = none
  bool has_dependencies = false;
};

// Checks and reduces a package.json and its lock file ("" = none). Dependencies come from a
// registry: files, links, git and addresses are refused. Errors: kInvalidArgument, the text names
// the member.
Result<PackageManifest> read_package_manifest(std::string_view package, std::string_view lock);

}  // namespace restitch::functions
