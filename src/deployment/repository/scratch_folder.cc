#include "deployment/repository/scratch_folder.h"

#include <cstdlib>
#include <filesystem>

namespace restitch::deployment {

namespace fs = std::filesystem;

Result<std::unique_ptr<ScratchFolder>> ScratchFolder::make(const std::string& parent) {
  std::error_code failed;
  fs::create_directories(parent, failed);
  std::string path = fs::absolute(parent, failed).string() + "/git-XXXXXX";
  if (failed || ::mkdtemp(path.data()) == nullptr) {
    return Error(ErrorCode::kIo, "cannot make a folder in '" + parent + "'");
  }
  return std::unique_ptr<ScratchFolder>(new ScratchFolder(std::move(path)));
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace restitch::deployment
