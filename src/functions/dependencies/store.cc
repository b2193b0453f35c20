#include "functions/dependencies/store.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "auth/crypto.h"
#include "base/encoding.h"
#include "functions/dependencies/manifest.h"

namespace restitch::functions {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 4> kArchives = {"node_modules.zip", "node_modules.tar",
                                                  "node_modules.tgz", "node_modules.tar.gz"};
constexpr std::size_t kMaxManifestBytes = 8UL << 20U;
constexpr std::size_t kKept = 3;

Error not_stored(const std::string& what) {
  return Error(ErrorCode::kIo, "the packages cannot be stored").with_detail(what);
}

// "" when it is absent.
Result<std::string> read_file(const fs::path& path, std::size_t limit) {
  std::error_code failed;
  if (!fs::is_regular_file(path, failed)) return std::string();
  if (fs::file_size(path, failed) > limit || failed) {
    return Error(ErrorCode::kInvalidArgument,
                 "is larger than " + std::to_string(limit >> 20U) + " MiB");
  }
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

Status write_file(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  file.close();
  if (!file) return not_stored(path.string());
  return {};
}

// An entry of the store under construction; it goes away unless it is kept.
class Draft {
 public:
  Draft(const fs::path& parent, const std::string& name)
      : parent_(parent),
        name_(name),
        path_(parent / (".new-" + name + "-" + std::to_string(::getpid()))) {}
  ~Draft() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  Status open() {
    std::error_code failed;
    fs::remove_all(path_, failed);
    fs::create_directories(path_, failed);
    if (failed) return not_stored(path_.string());
    return {};
  }
  Status keep() {
    std::error_code failed;
    fs::rename(path_, parent_ / name_, failed);
    if (failed && !fs::is_directory(parent_ / name_)) return not_stored(path_.string());
    return {};
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path parent_;
  std::string name_;
  fs::path path_;
};

class Provider {
 public:
  Provider(const DependencySettings& settings, const std::string& app, fs::path folder,
           DependencyProblem& problem)
      : settings_(settings),
        place_(fs::path(settings.directory) / app),
        folder_(std::move(folder)),
        problem_(problem) {}

  Result<std::string> run() {
    std::error_code ignored;
    for (const char* name : kArchives) {
      if (fs::is_regular_file(folder_ / name, ignored))
        return note(name, from_archive(folder_ / name));
    }
    if (fs::is_directory(folder_ / "node_modules", ignored)) {
      return fs::canonical(folder_ / "node_modules", ignored).string();
    }
    if (fs::is_regular_file(folder_ / "package.json", ignored)) {
      return note("package.json", from_manifest());
    }
    if (const std::string other = unknown_archive(); !other.empty()) {
      return note(other, Error(ErrorCode::kInvalidArgument,
                               "file format must be one of [.zip, .tar, .tgz, .tar.gz]"));
    }
    return std::string();
  }

 private:
  Result<std::string> note(const std::string& file, Result<std::string> result) {
    if (!result) problem_ = {file, result.error().message()};
    return result;
  }

  std::string unknown_archive() const {
    std::error_code failed;
    for (fs::directory_iterator it(folder_, failed), end; !failed && it != end;
         it.increment(failed)) {
      const std::string name = it->path().filename().string();
      if (name.starts_with("node_modules.")) return name;
    }
    return {};
  }

  Result<std::string> from_archive(const fs::path& archive) {
    if (settings_.directory.empty()) {
      RESTITCH_CHECK(unpack_node_modules(archive.string(), "", settings_.limits));
      return std::string();
    }
    const auto limit = static_cast<std::size_t>(settings_.limits.archive_bytes);
    RESTITCH_TRY(const std::string bytes, read_file(archive, limit));
    const std::string name = to_hex(auth::sha256("archive:" + bytes));
    if (is_there(name)) return used(name);
    Draft draft(place_, name);
    RESTITCH_CHECK(draft.open());
    RESTITCH_CHECK(unpack_node_modules(archive.string(), draft.path().string(), settings_.limits));
    RESTITCH_CHECK(draft.keep());
    return used(name);
  }

  Result<std::string> from_manifest() {
    RESTITCH_TRY(const std::string text, read_file(folder_ / "package.json", kMaxManifestBytes));
    RESTITCH_TRY(const std::string lock,
                 read_file(folder_ / "package-lock.json", kMaxManifestBytes));
    RESTITCH_TRY(const PackageManifest manifest, read_package_manifest(text, lock));
    if (!manifest.has_dependencies || settings_.directory.empty()) return std::string();
    const std::string name = to_hex(auth::sha256("npm:" + std::to_string(manifest.text.size()) +
                                                 ":" + manifest.text + manifest.lock));
    if (is_there(name)) return used(name);
    Draft draft(place_, name);
    RESTITCH_CHECK(draft.open());
    RESTITCH_CHECK(write_file(draft.path() / "package.json", manifest.text));
    if (!manifest.lock.empty()) {
      RESTITCH_CHECK(write_file(draft.path() / "package-lock.json", manifest.lock));
    }
    RESTITCH_CHECK(npm_install(draft.path().string(), settings_.npm));
    RESTITCH_CHECK(check_size(draft.path()));
    RESTITCH_CHECK(draft.keep());
    return used(name);
  }

  Status check_size(const fs::path& folder) const {
    std::error_code failed;
    std::int64_t bytes = 0;
    for (fs::recursive_directory_iterator it(folder, failed), end; !failed && it != end;
         it.increment(failed)) {
      std::error_code gone;
      if (it->is_symlink(gone) || !it->is_regular_file(gone)) continue;
      bytes += static_cast<std::int64_t>(it->file_size(gone));
    }
    if (bytes <= settings_.limits.unpacked_bytes) return {};
    return Error(ErrorCode::kInvalidArgument,
                 "the packages are larger than " +
                     std::to_string(settings_.limits.unpacked_bytes >> 20U) + " MiB");
  }

  bool is_there(const std::string& name) const {
    std::error_code ignored;
    return fs::is_directory(place_ / name / "node_modules", ignored);
  }

  // Notes the use, drops what was used long ago, and gives the entry's folder of packages.
  std::string used(const std::string& name) const {
    std::error_code ignored;
    fs::last_write_time(place_ / name, fs::file_time_type::clock::now(), ignored);
    std::vector<std::pair<fs::file_time_type, fs::path>> entries;
    std::error_code failed;
    for (fs::directory_iterator it(place_, failed), end; !failed && it != end;
         it.increment(failed)) {
      entries.emplace_back(it->last_write_time(ignored), it->path());
    }
    std::sort(entries.begin(), entries.end(), std::greater<>());
    for (std::size_t i = kKept; i < entries.size(); ++i) fs::remove_all(entries[i].second, ignored);
    return fs::canonical(place_ / name / "node_modules", ignored).string();
  }

  const DependencySettings& settings_;
  fs::path place_;
  fs::path folder_;
  DependencyProblem& problem_;
};

}  // namespace

Result<std::string> provide_dependencies(const DependencySettings& settings, const std::string& app,
                                         const std::string& folder, DependencyProblem& problem) {
  return Provider(settings, app, folder, problem).run();
}

}  // namespace restitch::functions
