#pragma once

#include <rocksdb/env.h>

#include <memory>

namespace restitch::storage {

// RocksDB can keep a read to its own block cache, but not to what is in memory: a block that the
// kernel's page cache holds costs a copy and no wait. While a scope lives, reads of tables on its
// thread are served from there or fail with IOStatus::Incomplete, which is what a read of
// kBlockCacheTier fails with. Scopes do not nest.
class NoWaitScope {
 public:
  explicit NoWaitScope(bool applies) { is_active_ = applies; }
  ~NoWaitScope() { is_active_ = false; }
  NoWaitScope(const NoWaitScope&) = delete;
  NoWaitScope& operator=(const NoWaitScope&) = delete;

  static bool is_active() { return is_active_; }

 private:
  static thread_local bool is_active_;
};

// `base` with tables that heed the scope. With `uses_page_cache` false they give nothing in a scope,
// as on a file system that cannot tell what is in memory.
std::unique_ptr<rocksdb::Env> with_no_wait_reads(rocksdb::Env& base, bool uses_page_cache);

}  // namespace restitch::storage
