#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace restitch::server::backup {

// Where the files of a backup go: a directory, or one tar archive (a name that ends in .tar, or "-"
// for standard output).
class Writer {
 public:
  // kInvalidArgument when the target exists (a directory may, when it is empty).
  static Result<std::unique_ptr<Writer>> create(const std::string& target);
  virtual ~Writer() = default;

  // Exactly `bytes` bytes follow, in any number of calls of write(), then end_file().
  virtual Status begin_file(const std::string& path, std::uint64_t bytes) = 0;
  virtual Status write(std::string_view bytes) = 0;
  virtual Status end_file() = 0;
  // Makes all of it durable.
  virtual Status finish() = 0;
};

struct FileHeader {
  std::string path;
  std::uint64_t bytes = 0;
};

// The same way back, file by file. Paths are checked: below the target, without "..".
class Reader {
 public:
  // A directory, a tar archive, or "-" for one on standard input.
  static Result<std::unique_ptr<Reader>> open(const std::string& source);
  virtual ~Reader() = default;

  // The next file; nothing at the end. What was not read of the one before is skipped.
  virtual Result<std::optional<FileHeader>> next() = 0;
  // Bytes of the present file; 0 at its end. kCorrupt when the archive ends early.
  virtual Result<std::size_t> read(char* buffer, std::size_t bytes) = 0;
};

// Relative, without empty, "." and ".." components, of the characters that the server itself uses
// in names.
bool is_safe_path(std::string_view path);

}  // namespace restitch::server::backup
