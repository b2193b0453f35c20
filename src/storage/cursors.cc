#include "storage/cursors.h"

#include "storage/key_layout.h"

namespace restitch::storage {
namespace {

Error damaged(std::string_view what) {
  return Error(ErrorCode::kCorrupt, "stored data is damaged").with_detail(std::string(what));
}

class RecordCursorImpl final : public RecordCursor {
 public:
  RecordCursorImpl(const ScanSource& source, std::shared_ptr<const void> keep_alive,
                   std::string lower, std::string upper, bool forward, ReadTier tier)
      : keep_alive_(std::move(keep_alive)),
        scan_(source, Family::kRecords, std::move(lower), std::move(upper), forward, tier) {}

  Result<bool> next() override {
    Result<bool> found = scan_.next();
    if (!found || !*found) return found;
    if (scan_.key().size() != keys::kIdentBytes + keys::kRecordIdBytes)
      return damaged("record key");
    id_ = keys::record_of(scan_.key());
    if (!is_document(scan_.value())) return damaged("record");
    return true;
  }
  RecordId id() const override { return id_; }
  bson::View document() const override {
    return bson::View(reinterpret_cast<const std::uint8_t*>(scan_.value().data()));
  }
  void set_tier(ReadTier tier) override { scan_.set_tier(tier); }

 private:
  std::shared_ptr<const void> keep_alive_;  // before the scan, which must go first
  RangeScan scan_;
  RecordId id_ = 0;
};

class IndexCursorImpl final : public IndexCursor {
 public:
  IndexCursorImpl(const ScanSource& source, std::shared_ptr<const void> keep_alive, IndexRef index,
                  std::string lower, std::string upper, bool forward, ReadTier tier)
      : keep_alive_(std::move(keep_alive)),
        index_(index),
        scan_(source, Family::kIndexes, std::move(lower), std::move(upper), forward, tier) {}

  Result<bool> next() override {
    if (seeks_backward_) return finish_backward_seek();
    return read(scan_.next());
  }

  Status seek(std::string_view key) override {
    std::string target = keys::ident_prefix(index_.id);
    target.append(key);
    seeks_backward_ = !scan_.is_forward() && !index_.unique;
    if (seeks_backward_) {
      target_.assign(key);
    } else {
      scan_.seek(target);
    }
    return {};
  }

  std::string_view key() const override { return key_; }
  std::string_view type_bits() const override { return type_bits_; }
  RecordId record() const override { return record_; }
  void set_tier(ReadTier tier) override { scan_.set_tier(tier); }

 private:
  // Backward, entries with exactly the sought key lie above it, because their record ids follow the
  // key. When the entry found so is above the key, the key was only the beginning of others', and
  // nothing equals it.
  Result<bool> finish_backward_seek() {
    std::string target = keys::ident_prefix(index_.id);
    target.append(target_);
    const std::size_t size = target.size();
    scan_.seek(target.append(keys::kRecordIdBytes, keys::kAboveAll));
    Result<bool> found = read(scan_.next());
    if (found && *found && key_ > target_) {
      target.resize(size);
      scan_.seek(target);
      found = read(scan_.next());
    }
    if (found) seeks_backward_ = false;
    return found;
  }

  Result<bool> read(Result<bool> found) {
    if (!found || !*found) return found;
    std::string_view key = scan_.key();
    std::string_view value = scan_.value();
    key.remove_prefix(keys::kIdentBytes);
    std::string_view& id_holder = index_.unique ? value : key;
    if (id_holder.size() < keys::kRecordIdBytes) return damaged("index entry");
    if (index_.unique) {
      record_ = static_cast<RecordId>(keys::load_be64(value.data()));
      value.remove_prefix(keys::kRecordIdBytes);
    } else {
      key.remove_suffix(keys::kRecordIdBytes);
      record_ = static_cast<RecordId>(keys::load_be64(key.data() + key.size()));
    }
    key_ = key;
    type_bits_ = value;
    return true;
  }

  std::shared_ptr<const void> keep_alive_;  // before the scan, which must go first
  IndexRef index_;
  RangeScan scan_;
  std::string target_;
  bool seeks_backward_ = false;
  std::string_view key_, type_bits_;
  RecordId record_ = 0;
};

}  // namespace

bool is_document(std::string_view bytes) {
  if (bytes.size() < 5 || bytes.back() != '\0') return false;
  return bson::View(reinterpret_cast<const std::uint8_t*>(bytes.data())).size() == bytes.size();
}

std::unique_ptr<RecordCursor> make_record_cursor(const ScanSource& source,
                                                 std::shared_ptr<const void> keep_alive,
                                                 CollectionId collection, bool forward,
                                                 ReadTier tier, std::optional<RecordId> from) {
  std::string lower = keys::ident_prefix(collection);
  std::string upper = keys::ident_end(collection);
  if (from && forward) lower = keys::RecordKey(collection, *from).view();
  if (from && !forward) upper = std::string(keys::RecordKey(collection, *from).view()) + '\0';
  return std::make_unique<RecordCursorImpl>(source, std::move(keep_alive), std::move(lower),
                                            std::move(upper), forward, tier);
}

std::unique_ptr<IndexCursor> make_index_cursor(const ScanSource& source,
                                               std::shared_ptr<const void> keep_alive,
                                               IndexRef index, const KeyRange& range, bool forward,
                                               ReadTier tier) {
  std::string lower = keys::ident_prefix(index.id) + range.start;
  std::string upper =
      range.end.empty() ? keys::ident_end(index.id) : keys::ident_prefix(index.id) + range.end;
  return std::make_unique<IndexCursorImpl>(source, std::move(keep_alive), index, std::move(lower),
                                           std::move(upper), forward, tier);
}

}  // namespace restitch::storage
