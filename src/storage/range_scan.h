#pragma once

#include <rocksdb/iterator.h>
#include <rocksdb/options.h>
#include <rocksdb/utilities/write_batch_with_index.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "storage/database.h"

namespace restitch::storage {

// What scans read: committed data, and over it the uncommitted writes of a transaction if there are
// any.
class ScanSource {
 public:
  virtual const Database& database() const = 0;
  virtual const rocksdb::ReadOptions& read_options() const = 0;
  // The own writes; null when nothing was written yet.
  virtual rocksdb::WriteBatchWithIndex* own_writes() const { return nullptr; }
  // Grows with every own write, so that a scan finds its place among them again.
  virtual std::uint64_t write_version() const { return 0; }
  // Grows when own writes are taken back: iterators over them are void then.
  virtual std::uint64_t rollback_version() const { return 0; }

 protected:
  ~ScanSource() = default;
};

// Walks the keys of one family in [lower, upper), which lie in one prefix, forward or backward. Own
// writes hide committed entries of the same key. A scan in a transaction sees the writes that the
// transaction made behind its position, also those made since the scan began.
class RangeScan {
 public:
  RangeScan(const ScanSource& source, Family family, std::string lower, std::string upper,
            bool forward, ReadTier tier);
  RangeScan(const RangeScan&) = delete;
  RangeScan& operator=(const RangeScan&) = delete;

  // False at the end. After kWouldBlock the position is unchanged.
  Result<bool> next();
  // The next call of next() gives the first key at or behind `key` in scan direction.
  void seek(std::string_view key);
  void set_tier(ReadTier tier) { tier_ = tier; }

  // Of the entry that next() gave. Valid until the next call.
  std::string_view key() const { return position_; }
  std::string_view value() const { return value_; }
  bool is_forward() const { return forward_; }

 private:
  enum class State { kBefore, kOn, kEnd };  // kBefore: at position_, which was not returned yet

  rocksdb::Slice slice(const std::string& bound) const { return {bound.data(), bound.size()}; }
  template <typename Iterator, typename KeyOf>
  void place(Iterator& iterator, KeyOf key_of) const;
  template <typename Iterator>
  void advance(Iterator& iterator) const;
  void prepare_base();
  void prepare_own();
  bool own_is_in_range() const;
  void take(std::string_view key, std::string_view value, bool is_own);

  const ScanSource& source_;
  Family family_;
  bool forward_;
  ReadTier tier_;
  State state_ = State::kBefore;
  std::string lower_, upper_;
  rocksdb::Slice lower_slice_, upper_slice_;
  std::string position_;
  std::string_view value_;
  std::string own_value_;

  std::unique_ptr<rocksdb::Iterator> base_;
  std::unique_ptr<rocksdb::WBWIIterator> own_;
  std::uint64_t own_version_ = 0, own_rollbacks_ = 0;
  bool base_is_used_ = false;  // its entry was returned or hidden: step on before the next use
  bool own_is_used_ = false;
};

}  // namespace restitch::storage
