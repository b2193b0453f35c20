#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace restitch::server::backup {

// An open file; closed with the object.
class File {
 public:
  // `name` is for messages.
  File(int descriptor, std::string name) : name_(std::move(name)), descriptor_(descriptor) {}
  static Result<File> open_to_read(const std::string& path);
  // A new file, 0600; kInvalidArgument when there is one already.
  static Result<File> create(const std::string& path);
  File(File&& other) noexcept
      : name_(std::move(other.name_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(name_, other.name_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File();

  // Fewer than asked only at the end of the file.
  Result<std::size_t> read(char* buffer, std::size_t bytes);
  Status write(std::string_view bytes);
  Status sync();
  Result<std::uint64_t> size() const;
  int descriptor() const { return descriptor_; }

 private:
  Error failure(const char* what) const;

  std::string name_;
  int descriptor_;
};

Status sync_directory(const std::string& path);

}  // namespace restitch::server::backup
