#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/types.h"

namespace restitch::server::backup {

// The file that makes a backup complete: it is written last.
inline constexpr const char* kManifestName = "backup.json";

struct BackedUpFile {
  std::string path;  // below the data directory, with '/'
  std::uint64_t bytes = 0;
  std::string sha256;  // hexadecimal
};

// What a backup consists of. As text: one line of JSON and one line with that line's SHA-256.
struct Manifest {
  std::string server_version;
  bson::Date created;
  bson::Timestamp cluster_time;  // the newest change that the backup holds, or later
  std::vector<BackedUpFile> files;
};

std::string to_text(const Manifest& manifest);
// kCorrupt when it is damaged, kUnsupported when a newer version wrote it.
Result<Manifest> parse_manifest(const std::string& text);

}  // namespace restitch::server::backup
