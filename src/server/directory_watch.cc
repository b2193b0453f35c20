#include "server/directory_watch.h"

#include <filesystem>
#include <functional>

namespace restitch::server {
namespace {

namespace fs = std::filesystem;

std::size_t mix(std::size_t seed, std::size_t value) { return seed ^ (value + 0x9E3779B97F4A7C15ULL + (seed << 6U) + (seed >> 2U)); }

bool is_ignored(const fs::path& path) {
  const fs::path name = path.filename();
  return name == "node_modules" || name == ".git";
}

}  // namespace

std::size_t fingerprint_of_directory(const std::string& directory) {
  std::size_t sum = 0;
  std::error_code error;
  fs::recursive_directory_iterator at(directory, fs::directory_options::skip_permission_denied, error);
  for (; !error && at != fs::recursive_directory_iterator(); at.increment(error)) {
    if (is_ignored(at->path())) {
      at.disable_recursion_pending();
      continue;
    }
    std::error_code gone;
    if (!at->is_regular_file(gone)) continue;
    std::size_t one = std::hash<std::string>()(at->path().string());
    one = mix(one, static_cast<std::size_t>(at->file_size(gone)));
    one = mix(one, static_cast<std::size_t>(at->last_write_time(gone).time_since_epoch().count()));
    sum += one;  // the order of the walk does not matter
  }
  return sum;
}

}  // namespace restitch::server
