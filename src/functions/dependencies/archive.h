#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace restitch::functions {

struct UnpackLimits {
  std::int64_t archive_bytes = 15LL << 20U;
  std::int64_t unpacked_bytes = 512LL << 20U;
  std::int64_t files = 100000;
};

// Writes the folder node_modules of an archive (.zip, .tar, .tar.gz, .tgz) below `target`, a new
// directory; with "" it reads the archive and writes nothing. Nothing but regular files below
// node_modules is written: an entry that leaves the folder, a hard link (symbolic ones are left
// out) or a device refuses the archive, and so do more files or bytes than `limits` allow, whatever
// the archive says of itself. Blocking. Errors: kInvalidArgument, kIo.
Status unpack_node_modules(const std::string& archive, const std::string& target,
                           const UnpackLimits& limits);

}  // namespace restitch::functions
