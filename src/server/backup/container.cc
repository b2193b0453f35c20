#include "server/backup/container.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "server/backup/files.h"
#include "server/backup/tar.h"

namespace restitch::server::backup {
namespace {

namespace fs = std::filesystem;

class DirectoryWriter final : public Writer {
 public:
  explicit DirectoryWriter(std::string root) : root_(std::move(root)) {}

  Status begin_file(const std::string& path, std::uint64_t) override {
    const fs::path full = fs::path(root_) / path;
    std::error_code error;
    fs::create_directories(full.parent_path(), error);
    if (error)
      return Error(ErrorCode::kIo,
                   "cannot make " + full.parent_path().string() + ": " + error.message());
    RESTITCH_TRY(File file, File::create(full.string()));
    file_.emplace(std::move(file));
    return {};
  }
  Status write(std::string_view bytes) override { return file_->write(bytes); }
  Status end_file() override {
    Status synced = file_->sync();
    file_.reset();
    return synced;
  }
  Status finish() override {
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(root_, error)) {
      if (entry.is_directory(error)) RESTITCH_CHECK(sync_directory(entry.path().string()));
    }
    RESTITCH_CHECK(sync_directory(root_));
    return sync_directory(fs::absolute(root_).lexically_normal().parent_path().string());
  }

 private:
  std::string root_;
  std::optional<File> file_;
};

class DirectoryReader final : public Reader {
 public:
  DirectoryReader(std::string root, std::vector<std::string> paths)
      : root_(std::move(root)), paths_(std::move(paths)) {}

  Result<std::optional<FileHeader>> next() override {
    if (at_ == paths_.size()) return std::optional<FileHeader>();
    RESTITCH_TRY(File file, File::open_to_read(root_ + "/" + paths_[at_]));
    RESTITCH_TRY(const std::uint64_t bytes, file.size());
    file_.emplace(std::move(file));
    return std::optional(FileHeader{paths_[at_++], bytes});
  }
  Result<std::size_t> read(char* buffer, std::size_t bytes) override {
    return file_->read(buffer, bytes);
  }

 private:
  std::string root_;
  std::vector<std::string> paths_;
  std::size_t at_ = 0;
  std::optional<File> file_;
};

Result<std::unique_ptr<Writer>> create_directory_writer(const std::string& target) {
  std::error_code error;
  if (fs::exists(target, error) &&
      (!fs::is_directory(target, error) || !fs::is_empty(target, error))) {
    return Error(ErrorCode::kInvalidArgument,
                 target + " exists already and is not an empty directory");
  }
  fs::create_directories(target, error);
  if (error) return Error(ErrorCode::kIo, "cannot make " + target + ": " + error.message());
  fs::permissions(target, fs::perms::owner_all, error);
  return std::unique_ptr<Writer>(std::make_unique<DirectoryWriter>(target));
}

Result<std::unique_ptr<Reader>> open_directory_reader(const std::string& source) {
  std::vector<std::string> paths;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(source, error)) {
    if (entry.is_directory(error)) continue;
    const std::string path = entry.path().lexically_relative(source).generic_string();
    if (!is_safe_path(path) || entry.is_symlink(error) || !entry.is_regular_file(error)) {
      return Error(ErrorCode::kCorrupt, "'" + path + "' does not belong in a backup");
    }
    paths.push_back(path);
  }
  if (error) return Error(ErrorCode::kIo, "cannot read " + source + ": " + error.message());
  std::sort(paths.begin(), paths.end());
  return std::unique_ptr<Reader>(std::make_unique<DirectoryReader>(source, std::move(paths)));
}

}  // namespace

bool is_safe_path(std::string_view path) {
  constexpr std::string_view kCharacters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
  if (path.empty() || path.find_first_not_of(kCharacters) != std::string_view::npos) return false;
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component == "." || component == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

Result<std::unique_ptr<Writer>> Writer::create(const std::string& target) {
  if (target == "-") return tar_writer(File(STDOUT_FILENO, "standard output"));
  if (!fs::path(target).filename().string().ends_with(".tar"))
    return create_directory_writer(target);
  RESTITCH_TRY(File file, File::create(target));
  return tar_writer(std::move(file));
}

Result<std::unique_ptr<Reader>> Reader::open(const std::string& source) {
  if (source == "-") return tar_reader(File(STDIN_FILENO, "standard input"));
  std::error_code error;
  if (fs::is_directory(source, error)) return open_directory_reader(source);
  RESTITCH_TRY(File file, File::open_to_read(source));
  return tar_reader(std::move(file));
}

}  // namespace restitch::server::backup
