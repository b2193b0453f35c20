#include "datasource/embedded/index_scan.h"

#include <algorithm>

#include "bson/key_encoding.h"

namespace restitch::datasource::embedded {

namespace {

constexpr std::size_t kMaxRanges = 4096;

// An interval as half-open bytes in the order of the index.
struct ByteRange {
  std::string start, end;
  bool is_point = false;
};

std::string inverted(std::string_view bytes) {
  std::string result(bytes);
  for (char& byte : result) byte = static_cast<char>(~static_cast<unsigned char>(byte));
  return result;
}

ByteRange byte_range(const Interval& interval, bool descending) {
  ByteRange range;
  range.start = descending ? inverted(interval.high_bytes) : interval.low_bytes;
  range.end = descending ? inverted(interval.low_bytes) : interval.high_bytes;
  const bool start_inclusive = descending ? interval.high_inclusive : interval.low_inclusive;
  const bool end_inclusive = descending ? interval.low_inclusive : interval.high_inclusive;
  if (!start_inclusive) range.start.push_back(bson::kAboveAllValues);
  if (end_inclusive) range.end.push_back(bson::kAboveAllValues);
  range.is_point = interval.is_point();
  return range;
}

std::vector<ByteRange> byte_ranges(const Intervals& intervals, bool descending) {
  std::vector<ByteRange> ranges;
  ranges.reserve(intervals.size());
  for (const Interval& interval : intervals) ranges.push_back(byte_range(interval, descending));
  if (descending) std::reverse(ranges.begin(), ranges.end());
  return ranges;
}

// Whether the encoded value lies in one of a field's intervals.
bool contains(const Intervals& intervals, std::string_view ascending) {
  for (const Interval& interval : intervals) {
    const int low = ascending.compare(interval.low_bytes);
    const int high = ascending.compare(interval.high_bytes);
    if ((low > 0 || (low == 0 && interval.low_inclusive)) &&
        (high < 0 || (high == 0 && interval.high_inclusive))) {
      return true;
    }
  }
  return false;
}

}  // namespace

void make_ranges(IndexScan& scan) {
  std::vector<std::string> prefixes{""};
  std::size_t field = 0;
  bool points_only = true;
  scan.ranges.clear();
  for (; field < scan.bounds.size(); ++field) {
    const Intervals& intervals = scan.bounds[field];
    if (intervals.empty()) {
      scan.first_tested_field = scan.bounds.size();
      return;  // nothing can match
    }
    if (!all_points(intervals) || prefixes.size() * intervals.size() > kMaxRanges) break;
    const auto ranges = byte_ranges(intervals, scan.index->fields[field].descending);
    std::vector<std::string> longer;
    longer.reserve(prefixes.size() * ranges.size());
    for (const std::string& prefix : prefixes) {
      for (const ByteRange& range : ranges) longer.push_back(prefix + range.start);
    }
    prefixes = std::move(longer);
  }
  if (field == scan.bounds.size()) {
    for (std::string& prefix : prefixes) {
      storage::KeyRange range;
      range.end = prefix + bson::kAboveAllValues;
      range.start = std::move(prefix);
      scan.ranges.push_back(std::move(range));
    }
    scan.is_point_lookup = scan.index->unique;
  } else {
    points_only = false;
    const auto ranges = prefixes.size() * scan.bounds[field].size() > kMaxRanges
                            ? byte_ranges(everything(), scan.index->fields[field].descending)
                            : byte_ranges(scan.bounds[field], scan.index->fields[field].descending);
    const bool is_widened = ranges.size() != scan.bounds[field].size();
    for (const std::string& prefix : prefixes) {
      for (const ByteRange& range : ranges) {
        scan.ranges.push_back({prefix + range.start, prefix + range.end});
      }
    }
    if (!is_widened) ++field;
  }
  scan.first_tested_field = field;
  scan.tests_keys = false;
  for (std::size_t later = field; later < scan.bounds.size(); ++later) {
    if (scan.bounds[later].empty()) scan.ranges.clear();
    if (!is_everything(scan.bounds[later])) scan.tests_keys = true;
  }
  scan.is_point_lookup = scan.is_point_lookup && points_only;
  if (!scan.is_forward) std::reverse(scan.ranges.begin(), scan.ranges.end());
}

void IndexReader::attach(const storage::Reader& reader, storage::ReadTier tier) {
  reader_ = &reader;
  tier_ = tier;
  cursor_.reset();
  must_seek_ = true;
  skips_seen_ = has_position_;
}

void IndexReader::detach() {
  cursor_.reset();
  reader_ = nullptr;
}

Result<IndexReader::Step> IndexReader::next() {
  return scan_.is_point_lookup ? next_lookup() : next_entry();
}

Result<IndexReader::Step> IndexReader::next_lookup() {
  if (range_ >= scan_.ranges.size()) return Step::kEnd;
  const std::string& key = scan_.ranges[range_].start;
  RESTITCH_TRY(const auto record, reader_->unique_entry(scan_.index->ident, key, tier_));
  ++range_;
  ++seeks_;
  ++keys_examined_;
  if (!record) return Step::kAgain;
  key_ = key;
  record_ = *record;
  has_position_ = true;
  ++entries_;
  return Step::kEntry;
}

Status IndexReader::skip_equal(std::size_t fields) {
  std::string_view rest = key_;
  std::size_t length = 0;
  for (std::size_t field = 0; field < fields; ++field) {
    RESTITCH_TRY(const std::size_t one,
                 bson::encoded_length(rest, scan_.index->fields[field].descending));
    length += one;
    rest.remove_prefix(one);
  }
  skip_target_ = key_.substr(0, length);
  // Forward to behind everything with this prefix, backward to before it.
  if (scan_.is_forward) skip_target_.push_back(bson::kAboveAllValues);
  must_seek_ = true;
  return {};
}

Status IndexReader::open() {
  const storage::KeyRange& first =
      scan_.ranges[scan_.is_forward ? range_ : scan_.ranges.size() - 1];
  const storage::KeyRange& last = scan_.ranges[scan_.is_forward ? scan_.ranges.size() - 1 : range_];
  cursor_ = reader_->entries(scan_.index->ref(), {first.start, last.end}, scan_.is_forward, tier_);
  return {};
}

int IndexReader::place_of(std::string_view key) const {
  const storage::KeyRange& range = scan_.ranges[range_];
  const bool below = key < range.start;
  const bool above = !range.end.empty() && key >= range.end;
  if (!below && !above) return 0;
  return below == scan_.is_forward ? -1 : 1;
}

bool IndexReader::is_at_or_before_last(std::string_view key, storage::RecordId record) const {
  const int order = key.compare(key_);
  const bool is_past = scan_.is_forward ? (order > 0 || (order == 0 && record > record_))
                                        : (order < 0 || (order == 0 && record < record_));
  return !is_past;
}

Result<bool> IndexReader::passes_tests(std::string_view key) const {
  if (!scan_.tests_keys) return true;
  std::string ascending;
  for (std::size_t field = 0; field < scan_.bounds.size(); ++field) {
    const bool descending = scan_.index->fields[field].descending;
    RESTITCH_TRY(const std::size_t length, bson::encoded_length(key, descending));
    if (field >= scan_.first_tested_field && !is_everything(scan_.bounds[field])) {
      const std::string_view bytes = key.substr(0, length);
      ascending = descending ? inverted(bytes) : std::string(bytes);
      if (!contains(scan_.bounds[field], ascending)) return false;
    }
    key.remove_prefix(length);
  }
  return true;
}

Result<IndexReader::Step> IndexReader::next_entry() {
  if (range_ >= scan_.ranges.size()) return Step::kEnd;
  if (!cursor_) RESTITCH_CHECK(open());
  if (must_seek_) {
    const storage::KeyRange& range = scan_.ranges[range_];
    const std::string& start = scan_.is_forward ? range.start : range.end;
    const bool skips_further =
        !skip_target_.empty() && (scan_.is_forward ? skip_target_ > start : skip_target_ < start);
    if (skips_further) {
      RESTITCH_CHECK(cursor_->seek(skip_target_));
    } else if (skips_seen_) {
      RESTITCH_CHECK(cursor_->seek(key_));
    } else {
      RESTITCH_CHECK(cursor_->seek(start));
    }
    ++seeks_;
    must_seek_ = false;
  }
  RESTITCH_TRY(const bool found, cursor_->next());
  if (!found) return Step::kEnd;
  ++keys_examined_;
  const std::string_view key = cursor_->key();
  if (skips_seen_ && is_at_or_before_last(key, cursor_->record())) return Step::kAgain;
  skips_seen_ = false;
  int place = place_of(key);
  const std::size_t former_range = range_;
  while (place > 0) {
    if (++range_ == scan_.ranges.size()) return Step::kEnd;
    place = place_of(key);
  }
  if (place < 0) {
    // Before the range: sought when the range is new, else read on (a seek may land on its excluded
    // end).
    must_seek_ = range_ != former_range;
    return Step::kAgain;
  }
  RESTITCH_TRY(const bool passes, passes_tests(key));
  if (!passes) return Step::kAgain;
  key_.assign(key);
  type_bits_.assign(cursor_->type_bits());
  record_ = cursor_->record();
  has_position_ = true;
  ++entries_;
  return Step::kEntry;
}

}  // namespace restitch::datasource::embedded
