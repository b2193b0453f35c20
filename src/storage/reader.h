#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "storage/cursors.h"
#include "storage/engine.h"
#include "storage/key_layout.h"
#include "storage/range_scan.h"
#include "storage/rocks_status.h"

namespace restitch::storage {

// The reads of Base (Reader or Transaction), from the two things in which a snapshot and a
// transaction differ: how one key is looked up and what scans run over.
template <typename Base>
class ReaderOver : public Base, public ScanSource {
 public:
  Result<bool> record(CollectionId collection, RecordId id, ReadTier tier,
                      std::string& out) const override {
    const keys::RecordKey key(collection, id);
    Result<bool> found = get(Family::kRecords, key.view(), tier, out);
    if (found && *found && !is_document(out))
      return Error(ErrorCode::kCorrupt, "stored data is damaged");
    return found;
  }

  Result<std::optional<RecordId>> unique_entry(IndexId index, std::string_view key,
                                               ReadTier tier) const override {
    const keys::EntryKey entry(index, key);
    std::string value;
    RESTITCH_TRY(const bool found, get(Family::kIndexes, entry.view(), tier, value));
    if (!found) return std::optional<RecordId>();
    if (value.size() < keys::kRecordIdBytes)
      return Error(ErrorCode::kCorrupt, "stored data is damaged");
    return std::optional(static_cast<RecordId>(keys::load_be64(value.data())));
  }

  Result<std::optional<RecordId>> keyed_record(IndexId index, std::string_view key,
                                               CollectionId collection, ReadTier tier,
                                               std::string& out) const override {
    RESTITCH_TRY(const std::optional<RecordId> id, unique_entry(index, key, tier));
    if (!id) return id;
    RESTITCH_TRY(const bool found, record(collection, *id, tier, out));
    return found ? id : std::optional<RecordId>();
  }

  std::unique_ptr<RecordCursor> records(CollectionId collection, bool forward, ReadTier tier,
                                        std::optional<RecordId> from) const override {
    return make_record_cursor(*this, keep_alive(), collection, forward, tier, from);
  }

  std::unique_ptr<IndexCursor> entries(IndexRef index, KeyRange range, bool forward,
                                       ReadTier tier) const override {
    return make_index_cursor(*this, keep_alive(), index, range, forward, tier);
  }

  Result<std::optional<bson::Document>> session_row(std::string_view key) const override {
    std::string value;
    RESTITCH_TRY(const bool found, get(Family::kSessions, key, ReadTier::kAll, value));
    if (!found) return std::optional<bson::Document>();
    if (!is_document(value)) return Error(ErrorCode::kCorrupt, "stored data is damaged");
    return std::optional(bson::Document::from_bytes(std::move(value)));
  }

 protected:
  // False if the key is absent.
  virtual Result<bool> get(Family family, std::string_view key, ReadTier tier,
                           std::string& out) const = 0;
  // What a cursor holds so that this reader outlives it; null when that is the caller's duty.
  virtual std::shared_ptr<const void> keep_alive() const = 0;
};

inline Result<bool> found_of(const rocksdb::Status& status) {
  if (status.ok()) return true;
  if (status.IsNotFound()) return false;
  return error_of(status);
}

}  // namespace restitch::storage
