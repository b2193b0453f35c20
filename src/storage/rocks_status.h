#pragma once

#include <rocksdb/status.h>

#include "base/result.h"

namespace restitch::storage {

// The Error of a RocksDB status that is not OK: kWouldBlock for a read stopped by its tier,
// kWriteConflict for a lock or validation that failed, kCorrupt, and kIo for everything a disk
// does. RocksDB's own text is the detail.
Error error_of(const rocksdb::Status& status);

Error write_conflict();

inline Status checked(const rocksdb::Status& status) {
  if (status.ok()) return {};
  return error_of(status);
}

// The disk is full: kIo with MongoDB's code for it.
Error out_of_disk_space();

}  // namespace restitch::storage
