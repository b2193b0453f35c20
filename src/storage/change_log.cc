#include "storage/change_log.h"

#include <rocksdb/convenience.h>

#include <algorithm>

#include "storage/cursors.h"
#include "storage/rocks_status.h"

namespace restitch::storage {
namespace {

constexpr std::uint64_t kSegments = 64;
constexpr std::uint64_t kSmallestSegment = 512;
constexpr std::size_t kChangeKeyBytes = 12;
constexpr int kMongoHistoryLost = 286;
constexpr char kHasImage = 1;

ChangePosition position_of(std::string_view key) {
  return {keys::load_be64(key.data()), keys::load_be32(key.data() + 8)};
}

std::string segment_key(keys::Ticks first) {
  std::string key(keys::kSegmentRows);
  key.resize(key.size() + 8);
  keys::store_be64(key.data() + keys::kSegmentRows.size(), first);
  return key;
}

Error damaged() { return Error(ErrorCode::kCorrupt, "the change log is damaged"); }

}  // namespace

ChangeLog::ChangeLog(const Database& database, std::int64_t max_age_seconds, std::int64_t max_bytes)
    : database_(database),
      max_age_seconds_(static_cast<std::uint64_t>(std::max<std::int64_t>(max_age_seconds, 1))),
      max_bytes_(static_cast<std::uint64_t>(std::max<std::int64_t>(max_bytes, 1))),
      segment_bytes_(std::max(max_bytes_ / kSegments, kSmallestSegment)) {
  segments_.emplace_back();
}

void ChangeLog::set_up(rocksdb::WriteBatch& batch, const Database& database, keys::Ticks start) {
  (void)batch.Put(database.family(Family::kMeta), keys::kTrimmedRow,
                  keys::ChangeKey(start, 0).view());
}

Result<keys::Ticks> ChangeLog::last_stored(const Database& database) {
  const std::unique_ptr<rocksdb::Iterator> iterator(database.db()->NewIterator(
      database.newest(), database.family(Family::kChanges)));
  iterator->SeekToLast();
  RESTITCH_CHECK(checked(iterator->status()));
  RESTITCH_TRY(const std::optional<std::string> trimmed, database.meta_row(keys::kTrimmedRow));
  const std::string last = iterator->Valid() ? iterator->key().ToString() : trimmed.value_or("");
  if (last.size() != kChangeKeyBytes) return damaged();
  return position_of(last).ticks;
}

Status ChangeLog::load() {
  RESTITCH_TRY(const std::optional<std::string> trimmed, database_.meta_row(keys::kTrimmedRow));
  if (!trimmed || trimmed->size() != kChangeKeyBytes) return damaged();
  trimmed_ = position_of(*trimmed);

  segments_.clear();
  const std::unique_ptr<rocksdb::Iterator> rows(database_.db()->NewIterator(
      database_.newest(), database_.family(Family::kMeta)));
  for (rows->Seek(keys::kSegmentRows); rows->Valid() && rows->key().starts_with(keys::kSegmentRows);
       rows->Next()) {
    if (rows->key().size() != keys::kSegmentRows.size() + 8 || rows->value().size() != 16)
      return damaged();
    segments_.push_back({keys::load_be64(rows->key().data() + keys::kSegmentRows.size()),
                         keys::load_be64(rows->value().data()),
                         keys::load_be64(rows->value().data() + 8)});
    bytes_ += segments_.back().bytes;
  }
  RESTITCH_CHECK(checked(rows->status()));
  return count_open_segment();
}

Status ChangeLog::count_open_segment() {
  const keys::Ticks start = segments_.empty() ? 0 : segments_.back().last + 1;
  Segment open;
  for (const Family family : {Family::kChanges, Family::kImages}) {
    const std::unique_ptr<rocksdb::Iterator> iterator(
        database_.db()->NewIterator(database_.newest(), database_.family(family)));
    for (iterator->Seek(keys::ChangeKey(start, 0).view()); iterator->Valid(); iterator->Next()) {
      const keys::Ticks ticks = position_of(iterator->key().ToStringView()).ticks;
      if (open.first == 0) open.first = ticks;
      open.last = std::max(open.last, ticks);
      open.bytes += iterator->key().size() + iterator->value().size();
    }
    RESTITCH_CHECK(checked(iterator->status()));
  }
  bytes_ += open.bytes;
  segments_.push_back(open);
  return {};
}

void ChangeLog::stage(rocksdb::WriteBatch& batch, keys::Ticks ticks,
                      const std::vector<Change>& changes) {
  std::uint32_t index = 0;
  for (const Change& change : changes) {
    const keys::ChangeKey key(ticks, index++);
    const rocksdb::Slice key_slice(key.view());
    const char flag = change.pre_image ? kHasImage : '\0';
    const std::string_view entry = change.entry.bytes();
    const rocksdb::Slice parts[] = {rocksdb::Slice(&flag, 1), rocksdb::Slice(entry)};
    (void)batch.Put(database_.family(Family::kChanges), rocksdb::SliceParts(&key_slice, 1),
                    rocksdb::SliceParts(parts, 2));
    staged_.bytes += kChangeKeyBytes + 1 + entry.size();
    if (change.pre_image) {
      const std::string_view image = change.pre_image->bytes();
      (void)batch.Put(database_.family(Family::kImages), key_slice, image);
      staged_.bytes += kChangeKeyBytes + image.size();
    }
  }
  if (changes.empty()) return;
  if (staged_.first == 0) staged_.first = ticks;
  staged_.last = ticks;
}

void ChangeLog::end_group(rocksdb::WriteBatch& batch) {
  if (staged_.bytes == 0) return;
  const std::lock_guard lock(mutex_);
  const Segment& open = segments_.back();
  staged_end_ = open.bytes + staged_.bytes >= segment_bytes_;
  if (!staged_end_) return;
  char value[16];
  keys::store_be64(value, staged_.last);
  keys::store_be64(value + 8, open.bytes + staged_.bytes);
  (void)batch.Put(database_.family(Family::kMeta),
                  segment_key(open.first != 0 ? open.first : staged_.first),
                  rocksdb::Slice(value, sizeof(value)));
}

void ChangeLog::written(bool succeeded) {
  if (staged_.bytes > 0 && succeeded) {
    const std::lock_guard lock(mutex_);
    Segment& open = segments_.back();
    if (open.first == 0) open.first = staged_.first;
    open.last = staged_.last;
    open.bytes += staged_.bytes;
    bytes_ += staged_.bytes;
    if (staged_end_) segments_.emplace_back();
  }
  staged_ = {};
  staged_end_ = false;
}

Result<std::vector<ChangeLogEntry>> ChangeLog::read(const Snapshot& snapshot, ChangePosition after,
                                                    std::size_t limit) const {
  std::vector<ChangeLogEntry> entries;
  const keys::ChangeKey start(after.ticks, after.index);
  const rocksdb::ReadOptions& options = snapshot.read_options();
  const std::unique_ptr<rocksdb::Iterator> iterator(
      database_.db()->NewIterator(options, database_.family(Family::kChanges)));
  iterator->Seek(start.view());
  if (iterator->Valid() && iterator->key() == rocksdb::Slice(start.view())) iterator->Next();
  for (; iterator->Valid() && entries.size() < limit; iterator->Next()) {
    std::string_view value = iterator->value().ToStringView();
    if (iterator->key().size() != kChangeKeyBytes || value.empty() || !is_document(value.substr(1)))
      return damaged();
    const ChangePosition position = position_of(iterator->key().ToStringView());
    ChangeLogEntry& entry = entries.emplace_back();
    entry.cluster_time = keys::time_of(position.ticks);
    entry.index = position.index;
    entry.entry = bson::Document::from_bytes(std::string(value.substr(1)));
    if (value.front() != kHasImage) continue;
    std::string image;
    const rocksdb::Status found =
        database_.db()->Get(options, database_.family(Family::kImages), iterator->key(), &image);
    if (found.IsNotFound()) continue;
    RESTITCH_CHECK(checked(found));
    if (!is_document(image)) return damaged();
    entry.pre_image = bson::Document::from_bytes(std::move(image));
  }
  RESTITCH_CHECK(checked(iterator->status()));
  // Looked at last, so that nothing trimmed meanwhile goes unnoticed.
  const std::lock_guard lock(mutex_);
  if (after.ticks != 0 && after < trimmed_) {
    return mongo_error(kMongoHistoryLost,
                       "Resume of change stream was not possible, as the resume point may no "
                       "longer be in the oplog.");
  }
  return entries;
}

keys::Ticks ChangeLog::oldest() const {
  const std::lock_guard lock(mutex_);
  return trimmed_.ticks + 1;
}

bool ChangeLog::is_over_size() const {
  const std::lock_guard lock(mutex_);
  return bytes_ > max_bytes_ && segments_.size() > 1;
}

// End of the oldest segments that are too much. The open one always stays.
keys::Ticks ChangeLog::trim_end_by_size() const {
  const std::lock_guard lock(mutex_);
  std::uint64_t left = bytes_;
  keys::Ticks end = 0;
  for (std::size_t i = 0; i + 1 < segments_.size() && left > max_bytes_; ++i) {
    left -= segments_[i].bytes;
    end = segments_[i].last + 1;
  }
  return end;
}

// The last change before `ticks`, or the first one at or behind it.
Result<std::optional<ChangePosition>> ChangeLog::neighbour(keys::Ticks ticks, bool before) const {
  const std::unique_ptr<rocksdb::Iterator> iterator(database_.db()->NewIterator(
      database_.newest(), database_.family(Family::kChanges)));
  const keys::ChangeKey key(ticks, 0);
  if (before) {
    iterator->SeekForPrev(key.view());
    if (iterator->Valid() && iterator->key() == rocksdb::Slice(key.view())) iterator->Prev();
  } else {
    iterator->Seek(key.view());
  }
  RESTITCH_CHECK(checked(iterator->status()));
  if (!iterator->Valid()) return std::optional<ChangePosition>();
  if (iterator->key().size() != kChangeKeyBytes) return damaged();
  return std::optional(position_of(iterator->key().ToStringView()));
}

Result<bool> ChangeLog::plan_trim(rocksdb::WriteBatch& batch, std::uint32_t now) {
  keys::Ticks end = trim_end_by_size();
  // By age a little late, so that not every second leaves a range deletion behind.
  RESTITCH_TRY(const std::optional<ChangePosition> first, neighbour(oldest(), false));
  const std::uint64_t slack = max_age_seconds_ / kSegments;
  if (first && (first->ticks >> 32U) + max_age_seconds_ + slack < now) {
    end = std::max(end, static_cast<keys::Ticks>(now - max_age_seconds_) << 32U);
  }
  if (end == 0) return false;
  RESTITCH_TRY(const std::optional<ChangePosition> last, neighbour(end, true));

  const std::lock_guard lock(mutex_);
  if (last && trimmed_ < *last) trimmed_ = *last;
  const keys::ChangeKey end_key(end, 0);
  for (const Family family : {Family::kChanges, Family::kImages}) {
    (void)batch.DeleteRange(database_.family(family), keys::ChangeKey(0, 0).view(), end_key.view());
  }
  (void)batch.Put(database_.family(Family::kMeta), keys::kTrimmedRow,
                  keys::ChangeKey(trimmed_.ticks, trimmed_.index).view());
  while (segments_.size() > 1 && segments_.front().last < end) {
    bytes_ -= segments_.front().bytes;
    segments_.pop_front();
  }
  const keys::Ticks kept = segments_.front().first != 0 ? segments_.front().first : end;
  (void)batch.DeleteRange(database_.family(Family::kMeta), segment_key(0), segment_key(kept));
  return true;
}

void ChangeLog::drop_files() {
  ChangePosition trimmed;
  {
    const std::lock_guard lock(mutex_);
    trimmed = trimmed_;
  }
  const std::string first(keys::ChangeKey(0, 0).view());
  const std::string last(keys::ChangeKey(trimmed.ticks, trimmed.index).view());
  const rocksdb::Slice begin(first);
  const rocksdb::Slice end(last);
  for (const Family family : {Family::kChanges, Family::kImages}) {
    (void)rocksdb::DeleteFilesInRange(database_.db(), database_.family(family), &begin, &end);
  }
}

}  // namespace restitch::storage
