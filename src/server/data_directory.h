#pragma once

#include <string>

#include "base/result.h"

namespace restitch::server {

// The exclusive use of a data directory, from open() to the end of the object. Servers, restores
// and offline checks of one directory thereby exclude each other.
class DataDirectory {
 public:
  // Makes the directory where it does not exist, and brings a restore that was interrupted to its
  // end or takes it back (backup/restore.h). kClosing when another process uses it, else kIo.
  static Result<DataDirectory> open(const std::string& path);

  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&& other) noexcept;
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;
  ~DataDirectory();

  const std::string& path() const { return path_; }

 private:
  DataDirectory(std::string path, int descriptor)
      : path_(std::move(path)), descriptor_(descriptor) {}

  std::string path_;
  int descriptor_ = -1;
};

}  // namespace restitch::server
