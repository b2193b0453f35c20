#pragma once

#include <memory>
#include <string>

#include "base/result.h"

namespace restitch::deployment {

// A new folder that goes with its owner, with all that is in it. Blocking.
class ScratchFolder {
 public:
  // `parent` is made when it is not there. kIo.
  static Result<std::unique_ptr<ScratchFolder>> make(const std::string& parent);
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
};

}  // namespace restitch::deployment
