#include "storage/rocks_status.h"

namespace restitch::storage {

namespace {
constexpr int kMongoWriteConflict = 112;
constexpr int kMongoOutOfDiskSpace = 14031;
}  // namespace

Error write_conflict() {
  return Error(ErrorCode::kWriteConflict, kMongoWriteConflict,
               "Caused by :: Write conflict during plan execution and yielding is disabled. :: "
               "Please retry your "
               "operation or multi-document transaction.");
}

Error out_of_disk_space() {
  return Error(ErrorCode::kIo, kMongoOutOfDiskSpace,
               "the disk is full: writes are refused until space is free");
}

Error error_of(const rocksdb::Status& status) {
  if (status.IsIncomplete()) return Error(ErrorCode::kWouldBlock, "the data is not in a cache");
  if (status.IsBusy() || status.IsTimedOut() || status.IsTryAgain()) return write_conflict();
  if (status.IsCorruption()) {
    return Error(ErrorCode::kCorrupt, "stored data is damaged").with_detail(status.ToString());
  }
  if (status.IsNoSpace()) {
    return out_of_disk_space().with_detail(status.ToString());
  }
  if (status.IsShutdownInProgress() || status.IsAborted()) {
    return Error(ErrorCode::kClosing, "the storage is closing").with_detail(status.ToString());
  }
  if (status.IsIOError()) {
    return Error(ErrorCode::kIo, "the disk failed: " + status.ToString())
        .with_detail(status.ToString());
  }
  return Error(ErrorCode::kInternal, "the storage failed").with_detail(status.ToString());
}

}  // namespace restitch::storage
