#include "server/backup/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace restitch::server::backup {

Result<File> File::open_to_read(const std::string& path) {
  File file(::open(path.c_str(), O_RDONLY | O_CLOEXEC), path);
  if (file.descriptor_ < 0) return file.failure("cannot open");
  return file;
}

Result<File> File::create(const std::string& path) {
  File file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), path);
  if (file.descriptor_ < 0 && errno == EEXIST) {
    return Error(ErrorCode::kInvalidArgument, path + " exists already");
  }
  if (file.descriptor_ < 0) return file.failure("cannot create");
  return file;
}

File::~File() {
  if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
}

Error File::failure(const char* what) const {
  return Error(ErrorCode::kIo, std::string(what) + " " + name_ + ": " + std::strerror(errno));
}

Result<std::size_t> File::read(char* buffer, std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t count = ::read(descriptor_, buffer + done, bytes - done);
    if (count == 0) break;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure("cannot read");
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Status File::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(descriptor_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failure("cannot write");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Status File::sync() {
  // Pipes have nothing to sync.
  if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) return failure("cannot sync");
  return {};
}

Result<std::uint64_t> File::size() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) return failure("cannot look at");
  return static_cast<std::uint64_t>(status.st_size);
}

Status sync_directory(const std::string& path) {
  File directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), path);
  if (directory.descriptor() < 0) {
    return Error(ErrorCode::kIo, "cannot open the directory " + path + ": " + std::strerror(errno));
  }
  return directory.sync();
}

}  // namespace restitch::server::backup
