#pragma once

#include <string>

#include "base/result.h"
#include "functions/dependencies/archive.h"
#include "functions/dependencies/npm.h"

namespace restitch::functions {

struct DependencySettings {
  std::string directory;  // where packages are kept; "" = nothing is installed, only checked
  NpmSettings npm;
  UnpackLimits limits;
};

// Why packages cannot be had.
struct DependencyProblem {
  std::string file;  // within the functions folder, e.g. "package.json"
  std::string message;
};

// The folder node_modules that a functions folder asks for, "" when it asks for none. In this
// order: an archive node_modules.zip, .tar, .tgz or .tar.gz, a folder node_modules, and
// package.json with package-lock.json, which npm installs without running scripts. What was made of
// equal bytes before is used again; the three last used of each `app` (a client app id) are kept.
// Blocking, up to the time of npm. On kInvalidArgument `problem` is set.
Result<std::string> provide_dependencies(const DependencySettings& settings, const std::string& app,
                                         const std::string& folder, DependencyProblem& problem);

}  // namespace restitch::functions
