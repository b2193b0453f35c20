#pragma once

#include <string>

#include "base/result.h"

namespace restitch::server::backup {

struct RestoreOptions {
  std::string source;  // directory, tar archive or "-"
  std::string data_directory;
  bool replace = false;  // what the directory holds is given up
};

// `restitch restore`: copies the backup beside the present content, checks every byte against the
// checksums, opens the copy once, and only then exchanges the content. Returns the exit code: 0
// done, 1 refused (the directory is as it was), 2 failed.
int run_restore(const RestoreOptions& options);

// Whoever opens a data directory calls it first: ends a restore whose exchange had begun, forgets
// one that had not.
Status settle_restore(const std::string& data_directory);

}  // namespace restitch::server::backup
