#pragma once

#include <string>

#include "app/config.h"
#include "base/result.h"

namespace restitch::app {

// Reads a configuration directory of any layout version and checks everything that does not need other parts of the
// server (names, enums, limits, references between files, JSON syntax). All problems go to `findings`; the Config is
// usable only if findings has no errors. An Error comes back only when `path` is no app directory at all.
Result<Config> load_directory(const std::string& path, Findings& findings);

// The app root that `path` belongs to: itself or an ancestor, at most 8 levels up (spec: app-config §1.1).
Result<std::string> find_app_root(const std::string& path);

}  // namespace restitch::app
