#pragma once

#include <string>

#include "base/result.h"
#include "bson/types.h"

namespace restitch::server::backup {

struct BackupOptions {
  std::string data_directory;
  std::string target;         // directory, file.tar or "-"
  bool without_keys = false;  // leaves out secret.key and admin.json
};

// Where a data directory keeps the frozen copy (hard links) that a backup reads. Nobody else uses
// the name.
std::string checkpoint_directory(const std::string& data_directory);

// `restitch backup`: consistent, of one moment. A server that runs on the directory is asked for
// the frozen copy (control_socket.h), else the directory is opened. Returns the exit code: 0 done,
// 1 refused, 2 failed; the target does not exist after the latter two.
int run_backup(const BackupOptions& options);

// The same for callers that hold a frozen copy: copies it and the keys into `target`.
Status write_backup(const BackupOptions& options, const std::string& checkpoint,
                    bson::Timestamp cluster_time);

}  // namespace restitch::server::backup
