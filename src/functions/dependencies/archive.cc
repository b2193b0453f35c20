#include "functions/dependencies/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string_view>

#include "functions/worker_process.h"

namespace restitch::functions {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kReadBlock = 64UL << 10U;
constexpr std::size_t kMaxPathBytes = 1024;
constexpr std::size_t kMaxDepth = 64;
constexpr std::string_view kFolder = "node_modules/";

using Reader = std::unique_ptr<::archive, decltype(&::archive_read_free)>;

Error refused(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

Error broken(const Reader& reader) {
  const char* why = ::archive_error_string(reader.get());
  return refused("the archive cannot be read: " + std::string(why == nullptr ? "damaged" : why));
}

Error not_written(const std::string& what) {
  return Error(ErrorCode::kIo, "the packages cannot be stored").with_detail(what);
}

Result<Reader> open(const std::string& file) {
  Reader reader(::archive_read_new(), &::archive_read_free);
  ::archive_read_support_format_tar(reader.get());
  ::archive_read_support_format_zip(reader.get());
  ::archive_read_support_filter_none(reader.get());
  ::archive_read_support_filter_gzip(reader.get());
  if (::archive_read_open_filename(reader.get(), file.c_str(), kReadBlock) != ARCHIVE_OK) {
    return broken(reader);
  }
  return reader;
}

// Every component must be a plain name.
bool is_safe(std::string_view path) {
  if (path.empty() || path.size() > kMaxPathBytes || path.front() == '/') return false;
  if (path.find('\\') != std::string_view::npos) return false;
  std::size_t depth = 0;
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view component = path.substr(0, slash);
    if (component.empty() || component == "." || component == ".." || ++depth > kMaxDepth) {
      return false;
    }
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
  }
  return true;
}

class Unpacker {
 public:
  Unpacker(Reader reader, std::string target, const UnpackLimits& limits)
      : reader_(std::move(reader)), target_(std::move(target)), limits_(limits) {}

  Status run() {
    ::archive_entry* entry = nullptr;
    for (;;) {
      const int status = ::archive_read_next_header(reader_.get(), &entry);
      if (status == ARCHIVE_EOF) break;
      if (status < ARCHIVE_WARN) return broken(reader_);
      RESTITCH_CHECK(take(entry));
    }
    if (files_ == 0) return refused("the archive has no folder node_modules");
    return {};
  }

 private:
  Status take(::archive_entry* entry) {
    const char* name = ::archive_entry_pathname(entry);
    if (name == nullptr) return refused("an entry of the archive has no readable name");
    std::string_view path(name);
    while (path.starts_with("./")) path.remove_prefix(2);
    while (path.ends_with('/')) path.remove_suffix(1);
    if (path.empty() || path == ".") return {};
    if (!is_safe(path)) return refused("the archive entry '" + std::string(path) + "' is unsafe");
    const auto kind = ::archive_entry_filetype(entry);
    // What lies beside the folder, such as what file managers add, is nobody's package.
    if (!path.starts_with(kFolder) || kind == AE_IFDIR) return {};
    // Those of .bin, and of folders that were linked into each other: no package needs them.
    if (kind == AE_IFLNK) return {};
    if (::archive_entry_hardlink(entry) != nullptr || kind != AE_IFREG) {
      return refused("the archive entry '" + std::string(path) + "' is not a regular file");
    }
    if (++files_ > limits_.files) {
      return refused("the archive has more than " + std::to_string(limits_.files) + " files");
    }
    return write(std::string(path));
  }

  Status write(const std::string& path) {
    OwnedDescriptor file;
    if (!target_.empty()) {
      const fs::path full = fs::path(target_) / path;
      std::error_code failed;
      fs::create_directories(full.parent_path(), failed);
      if (!failed) {
        file = OwnedDescriptor(
            ::open(full.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
      }
      if (!file) return not_written(full.string());
    }
    const void* block = nullptr;
    std::size_t size = 0;
    la_int64_t offset = 0;
    for (;;) {
      const int status = ::archive_read_data_block(reader_.get(), &block, &size, &offset);
      if (status == ARCHIVE_EOF) return {};
      if (status < ARCHIVE_WARN) return broken(reader_);
      bytes_ += static_cast<std::int64_t>(size);
      // A hole of a sparse file counts as bytes too.
      if (bytes_ > limits_.unpacked_bytes || offset > limits_.unpacked_bytes) {
        return refused("the unpacked packages are larger than " +
                       std::to_string(limits_.unpacked_bytes >> 20U) + " MiB");
      }
      if (file && ::pwrite(file.get(), block, size, offset) != static_cast<ssize_t>(size)) {
        return not_written(path);
      }
    }
  }

  Reader reader_;
  std::string target_;
  UnpackLimits limits_;
  std::int64_t files_ = 0, bytes_ = 0;
};

}  // namespace

Status unpack_node_modules(const std::string& archive, const std::string& target,
                           const UnpackLimits& limits) {
  std::error_code failed;
  const auto size = fs::file_size(archive, failed);
  if (failed) return refused("the archive cannot be read");
  if (size > static_cast<std::uintmax_t>(limits.archive_bytes)) {
    return refused("is larger than " + std::to_string(limits.archive_bytes >> 20U) + " MiB");
  }
  RESTITCH_TRY(Reader reader, open(archive));
  return Unpacker(std::move(reader), target, limits).run();
}

}  // namespace restitch::functions
