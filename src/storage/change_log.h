#pragma once

#include <rocksdb/write_batch.h>

#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "storage/database.h"
#include "storage/key_layout.h"
#include "storage/snapshot.h"

namespace restitch::storage {

// Where one change is: its commit and its position there.
struct ChangePosition {
  keys::Ticks ticks = 0;
  std::uint32_t index = 0;
  auto operator<=>(const ChangePosition&) const = default;
};

// The change log with its pre-images: rows written by the commit thread, read behind a position,
// and trimmed by age and size. Sizes are kept by segments, stretches of about 1/64 of the allowed
// bytes; a row is written when one is full, so that opening counts the last one only.
class ChangeLog {
 public:
  ChangeLog(const Database& database, std::int64_t max_age_seconds, std::int64_t max_bytes);

  // Reads the segments. kCorrupt when the database was not set up.
  Status load();
  // Rows of a new database, whose log is complete from `start` on.
  static void set_up(rocksdb::WriteBatch& batch, const Database& database, keys::Ticks start);
  // Time of the last change that was ever written, trimmed or not.
  static Result<keys::Ticks> last_stored(const Database& database);

  // Commit thread: adds a commit's rows to the group; end_group() before and written() after the
  // group's write.
  void stage(rocksdb::WriteBatch& batch, keys::Ticks ticks, const std::vector<Change>& changes);
  void end_group(rocksdb::WriteBatch& batch);
  void written(bool succeeded);

  // Changes strictly behind `after`. mongo code 286 when some of them are trimmed already, unless
  // `after` is zero.
  Result<std::vector<ChangeLogEntry>> read(const Snapshot& snapshot, ChangePosition after,
                                           std::size_t limit) const;
  keys::Ticks oldest() const;
  bool is_over_size() const;

  // Removes what is too old or too much: adds the deletions to `batch`. False when there is nothing
  // to do. Between plan and write, readers already treat the changes as gone.
  Result<bool> plan_trim(rocksdb::WriteBatch& batch, std::uint32_t now);
  // After the deletions are written: drops whole files.
  void drop_files();

 private:
  struct Segment {
    keys::Ticks first = 0, last = 0;
    std::uint64_t bytes = 0;
  };

  Status count_open_segment();
  Result<std::optional<ChangePosition>> neighbour(keys::Ticks ticks, bool before) const;
  keys::Ticks trim_end_by_size() const;

  const Database& database_;
  std::uint64_t max_age_seconds_, max_bytes_, segment_bytes_;

  mutable std::mutex mutex_;
  std::deque<Segment> segments_;  // the last one is open
  std::uint64_t bytes_ = 0;
  ChangePosition trimmed_;  // the last change that is gone
  Segment staged_;
  bool staged_end_ = false;
};

}  // namespace restitch::storage
