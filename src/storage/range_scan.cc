#include "storage/range_scan.h"

#include "storage/page_cache_reads.h"
#include "storage/rocks_status.h"

namespace restitch::storage {

RangeScan::RangeScan(const ScanSource& source, Family family, std::string lower, std::string upper,
                     bool forward, ReadTier tier)
    : source_(source),
      family_(family),
      forward_(forward),
      tier_(tier),
      lower_(std::move(lower)),
      upper_(std::move(upper)),
      lower_slice_(lower_),
      upper_slice_(upper_),
      position_(forward ? lower_ : upper_) {
  if (lower_ >= upper_) state_ = State::kEnd;
}

// Puts an iterator on the first entry behind the position, or at it when it was not returned yet.
template <typename Iterator, typename KeyOf>
void RangeScan::place(Iterator& iterator, KeyOf key_of) const {
  if (forward_) {
    iterator.Seek(position_);
  } else {
    iterator.SeekForPrev(position_);
  }
  if (state_ == State::kOn && iterator.Valid() && key_of(iterator) == rocksdb::Slice(position_))
    advance(iterator);
}

template <typename Iterator>
void RangeScan::advance(Iterator& iterator) const {
  if (forward_) {
    iterator.Next();
  } else {
    iterator.Prev();
  }
}

void RangeScan::prepare_base() {
  if (base_ == nullptr) {
    rocksdb::ReadOptions options = source_.read_options();
    options.iterate_lower_bound = &lower_slice_;
    options.iterate_upper_bound = &upper_slice_;
    const Database& database = source_.database();
    base_.reset(database.db()->NewIterator(options, database.family(family_)));
    place(*base_, [](const rocksdb::Iterator& iterator) { return iterator.key(); });
  } else if (base_is_used_) {
    advance(*base_);
  }
  base_is_used_ = false;
}

void RangeScan::prepare_own() {
  rocksdb::WriteBatchWithIndex* writes = source_.own_writes();
  if (writes == nullptr) {
    own_.reset();
    return;
  }
  if (own_ != nullptr && own_rollbacks_ != source_.rollback_version()) own_.reset();
  if (own_ == nullptr || own_version_ != source_.write_version()) {
    if (own_ == nullptr) own_.reset(writes->NewIterator(source_.database().family(family_)));
    own_version_ = source_.write_version();
    own_rollbacks_ = source_.rollback_version();
    place(*own_, [](const rocksdb::WBWIIterator& iterator) { return iterator.Entry().key; });
    // Its bounds are ours to keep: at the start of a backward scan the upper bound itself may be
    // there.
    if (!forward_ && own_->Valid() && own_->Entry().key == upper_slice_) own_->Prev();
  } else if (own_is_used_) {
    advance(*own_);
  }
  own_is_used_ = false;
}

bool RangeScan::own_is_in_range() const {
  if (own_ == nullptr || !own_->Valid()) return false;
  const rocksdb::Slice key = own_->Entry().key;
  return forward_ ? key.compare(upper_slice_) < 0 : key.compare(lower_slice_) >= 0;
}

void RangeScan::take(std::string_view key, std::string_view value, bool is_own) {
  position_.assign(key);
  state_ = State::kOn;
  if (is_own) {
    // The write batch moves its bytes when it grows.
    own_value_.assign(value);
    value_ = own_value_;
  } else {
    value_ = value;
  }
}

Result<bool> RangeScan::next() {
  if (state_ == State::kEnd) return false;
  const NoWaitScope scope(tier_ == ReadTier::kCacheOnly);
  prepare_base();
  prepare_own();
  for (;;) {
    const bool has_base = base_->Valid();
    if (!has_base) {
      if (const rocksdb::Status status = base_->status(); !status.ok()) {
        base_.reset();
        own_.reset();
        return error_of(status);
      }
    }
    const bool has_own = own_is_in_range();
    if (!has_base && !has_own) {
      state_ = State::kEnd;
      return false;
    }
    int order = has_own ? -1 : 1;
    if (has_base && has_own) {
      order = own_->Entry().key.compare(base_->key());
      if (!forward_) order = -order;
    }
    if (order > 0) {
      base_is_used_ = true;
      take(base_->key().ToStringView(), base_->value().ToStringView(), false);
      return true;
    }
    const bool hides_base = order == 0;
    const rocksdb::WriteEntry entry = own_->Entry();
    if (entry.type == rocksdb::kPutRecord) {
      own_is_used_ = true;
      base_is_used_ = hides_base;
      take(entry.key.ToStringView(), entry.value.ToStringView(), true);
      return true;
    }
    advance(*own_);
    if (hides_base) advance(*base_);
  }
}

void RangeScan::seek(std::string_view key) {
  if (lower_ >= upper_) return;
  position_.assign(key);
  if (forward_ && position_ < lower_) position_ = lower_;
  if (!forward_ && position_ > upper_) position_ = upper_;
  state_ = State::kBefore;
  own_.reset();
  base_is_used_ = false;
  const NoWaitScope scope(tier_ == ReadTier::kCacheOnly);
  if (base_ != nullptr)
    place(*base_, [](const rocksdb::Iterator& iterator) { return iterator.key(); });
}

}  // namespace restitch::storage
