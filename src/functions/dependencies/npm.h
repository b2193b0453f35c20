#pragma once

#include <chrono>
#include <string>

#include "base/result.h"

namespace restitch::functions {

struct NpmSettings {
  std::string program = "npm";  // a path, or a name looked up in PATH
  std::string cache;            // npm's own cache; "" = its default
  std::chrono::seconds time{300};
};

// Installs what `folder`/package.json (and package-lock.json, when it is there) names into
// `folder`/node_modules. No script of a package runs. Blocking. Errors: kInvalidArgument with what
// npm says.
Status npm_install(const std::string& folder, const NpmSettings& settings);

}  // namespace restitch::functions
