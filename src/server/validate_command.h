#pragma once

#include "server/options.h"

namespace restitch::server {

// `restitch validate`: runs the command `validate` over every collection of a data directory that
// no server uses. Prints what is wrong; exit code 0 when nothing is, 1 when something is, 2 when
// the data cannot be read.
int run_validate(const ValidateOptions& options);

}  // namespace restitch::server
