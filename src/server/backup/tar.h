#pragma once

#include <memory>

#include "server/backup/container.h"
#include "server/backup/files.h"

namespace restitch::server::backup {

// Tar archives (POSIX.1-1988 ustar) of plain files with names up to 100 bytes and sizes below 8
// GiB: what a backup needs, readable with any tar program.
std::unique_ptr<Writer> tar_writer(File file);
std::unique_ptr<Reader> tar_reader(File file);

}  // namespace restitch::server::backup
