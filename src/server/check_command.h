#pragma once

#include "server/options.h"

namespace restitch::server {

// `restitch check`: prints every finding; the exit code is 1 when a deployment would refuse the directory.
int run_check(const CheckOptions& options);

}  // namespace restitch::server
