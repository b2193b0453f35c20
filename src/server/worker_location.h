#pragma once

#include <string>

#include "base/result.h"

namespace restitch::server {

// The function worker's main.js: the configured one, else the installed one beside the program
// (PREFIX/share/restitch/worker), else the one of the source tree the program was built in.
Result<std::string> find_worker_script(const std::string& configured);

}  // namespace restitch::server
