#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "datasource/embedded/planner.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// Fills `ranges`, `first_tested_field`, `tests_keys` and `is_point_lookup` from `bounds` and the
// direction.
void make_ranges(IndexScan& scan);

// The keys of a scan in order, over a reader that may be changed between two calls. Remembers its
// place.
class IndexReader {
 public:
  explicit IndexReader(const IndexScan& scan) : scan_(scan) {}

  // Puts it on a state of the data, at the place where it stood. `reader` is kept until detach().
  void attach(const storage::Reader& reader, storage::ReadTier tier);
  void detach();

  enum class Step : std::uint8_t {
    kEnd,
    kEntry,  // key(), type_bits() and record() are an entry's
    kAgain,  // an entry was passed over: ask again
  };
  // One step of work. kWouldBlock leaves it where it was.
  Result<Step> next();
  // Passes over the entries that have the present one's values in the first `fields` fields.
  Status skip_equal(std::size_t fields);
  std::string_view key() const { return key_; }
  std::string_view type_bits() const { return type_bits_; }
  storage::RecordId record() const { return record_; }
  std::uint64_t keys_examined() const { return keys_examined_; }
  std::uint64_t seeks() const { return seeks_; }
  std::uint64_t entries() const { return entries_; }

 private:
  Result<Step> next_lookup();
  Result<Step> next_entry();
  Status open();
  // 0 inside the current range, -1 before it, 1 behind it; in scan direction.
  int place_of(std::string_view key) const;
  bool is_at_or_before_last(std::string_view key, storage::RecordId record) const;
  Result<bool> passes_tests(std::string_view key) const;

  const IndexScan& scan_;
  const storage::Reader* reader_ = nullptr;
  storage::ReadTier tier_ = storage::ReadTier::kAll;
  std::unique_ptr<storage::IndexCursor> cursor_;
  std::size_t range_ = 0;
  bool must_seek_ = true;
  bool has_position_ = false;  // key_ and record_ were given out
  bool skips_seen_ = false;    // after attach(): entries up to the position are skipped
  std::string key_, type_bits_;
  storage::RecordId record_ = 0;
  // Behind what skip_equal() passed over; empty without it.
  std::string skip_target_;
  std::uint64_t keys_examined_ = 0, seeks_ = 0, entries_ = 0;
};

}  // namespace restitch::datasource::embedded
