#include "server/worker_location.h"

#include <filesystem>

namespace restitch::server {

Result<std::string> find_worker_script(const std::string& configured) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (!configured.empty()) {
    if (fs::is_regular_file(configured, ignored)) return configured;
    return Error(ErrorCode::kInvalidArgument, "there is no worker script " + configured);
  }
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  for (const fs::path& candidate : {program / "../share/restitch/worker/main.js",
                                    program / "../../src/functions/worker/main.js"}) {
    if (fs::is_regular_file(candidate, ignored)) return fs::canonical(candidate, ignored).string();
  }
  return Error(ErrorCode::kInvalidArgument, "the function worker was not found beside the program; see --worker-script");
}

}  // namespace restitch::server
