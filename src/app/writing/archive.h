#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "app/writing/files.h"
#include "base/result.h"

namespace restitch::app {

struct ArchiveLimits {
  std::size_t max_files = 50'000;
  std::uint64_t max_file_bytes = 64ULL << 20U;
  std::uint64_t max_total_bytes = 512ULL << 20U;
  std::size_t max_path_bytes = 1'024;
  bool leaves_out_links = false;  // otherwise they are refused
};

// A zip of the files, the same bytes for the same files. Directories that are to exist though empty
// have an entry.
Result<std::string> to_zip(const Files& files);

// The regular files of a zip, tar, tgz (and what libarchive takes for these). Refused as a whole:
// a path that leaves the archive, a link (unless these are left out), a device, an encrypted entry, a
// name that is no UTF-8, a file that occurs twice, more than the limits allow.
Result<Files> read_archive(std::string_view bytes, const ArchiveLimits& limits = {});

}  // namespace restitch::app
