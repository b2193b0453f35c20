#include "storage/page_cache_reads.h"

#include <fcntl.h>
#include <rocksdb/file_system.h>
#include <sys/uio.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace restitch::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// A table's file. RocksDB's own descriptor cannot be reached, so there is one more for the reads
// that must not wait.
class TableFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  TableFile(std::unique_ptr<rocksdb::FSRandomAccessFile> base, int descriptor)
      : FSRandomAccessFileOwnerWrapper(std::move(base)), descriptor_(descriptor) {}
  ~TableFile() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  TableFile(const TableFile&) = delete;
  TableFile& operator=(const TableFile&) = delete;

  IOStatus Read(std::uint64_t offset, std::size_t size, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* debug) const override {
    if (!NoWaitScope::is_active())
      return FSRandomAccessFileOwnerWrapper::Read(offset, size, options, result, scratch, debug);
    if (!read_from_memory(offset, size, scratch))
      return rocksdb::status_to_io_status(rocksdb::Status::Incomplete());
    *result = Slice(scratch, size);
    return IOStatus::OK();
  }

 private:
  // All of it or nothing; where the kernel cannot tell what is in memory, nothing.
  bool read_from_memory(std::uint64_t offset, std::size_t size, char* out) const {
    if (descriptor_ < 0) return false;
    const iovec whole{out, size};
    const ssize_t got =
        ::preadv2(descriptor_, &whole, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    return got >= 0 && static_cast<std::size_t>(got) == size;
  }

  const int descriptor_;  // -1: none
};

class TableFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  TableFileSystem(const std::shared_ptr<rocksdb::FileSystem>& base, bool uses_page_cache)
      : FileSystemWrapper(base), uses_page_cache_(uses_page_cache) {}

  const char* Name() const override { return "RestitchTableFileSystem"; }

  IOStatus NewRandomAccessFile(const std::string& name, const rocksdb::FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result,
                               IODebugContext* debug) override {
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    IOStatus opened = target()->NewRandomAccessFile(name, options, &file, debug);
    if (!opened.ok()) return opened;
    const int descriptor = uses_page_cache_ ? ::open(name.c_str(), O_RDONLY | O_CLOEXEC) : -1;
    *result = std::make_unique<TableFile>(std::move(file), descriptor);
    return opened;
  }

 private:
  const bool uses_page_cache_;
};

}  // namespace

thread_local bool NoWaitScope::is_active_ = false;

std::unique_ptr<rocksdb::Env> with_no_wait_reads(rocksdb::Env& base, bool uses_page_cache) {
  return rocksdb::NewCompositeEnv(
      std::make_shared<TableFileSystem>(base.GetFileSystem(), uses_page_cache));
}

}  // namespace restitch::storage
