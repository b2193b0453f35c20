#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/collection.h"
#include "datasource/embedded/index_keys.h"
#include "datasource/embedded/write_unit.h"
#include "query/update/update.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// Writes single documents of one collection version into a unit: record, index entries, change log,
// counters. A document whose write fails leaves nothing behind in the unit, so that the unit may go
// on. Errors: kDuplicateKey and 121 put {keyPattern, keyValue} or {errInfo} into `error_extra`;
// kWriteConflict.
class RecordWriter {
 public:
  RecordWriter(storage::Engine& engine, const Collection& collection, WriteUnit& unit,
               bson::Document& error_extra)
      : engine_(engine), collection_(collection), unit_(unit), error_extra_(error_extra) {}

  void set_bypass_validation(bool bypass) { bypasses_validation_ = bypass; }

  // The document has passed query::prepare_for_insert.
  Status insert(bson::View document);
  // `before` is the record as locked by the unit. No change is written when the update modified
  // nothing.
  Status update(storage::RecordId record, bson::View before, const query::Updated& updated);
  Status remove(storage::RecordId record, bson::View before);
  // Evicts the oldest documents of a capped collection that is over its limits, a bounded number at
  // once.
  Status trim_capped();

  // Only the entries of one index, which is being built.
  Status enter(const IndexPtr& index, storage::RecordId record, bson::View document);

  // Index of the last kDuplicateKey.
  const Index* conflicting_index() const { return conflicting_index_; }

 private:
  Status check_valid(bson::View document, const bson::View* before);
  Status put_entry(const IndexPtr& index, const IndexKey& entry, storage::RecordId record);
  // Whether another record has the key. Two writers at the same moment do not see each other.
  Result<bool> is_taken(const Index& index, std::string_view key, storage::RecordId record);
  Status update_entries(const IndexPtr& index, storage::RecordId record, const IndexKeys& fresh);
  // Runs the steps of one document and takes back what they wrote when one fails.
  Status all_or_nothing(const std::function<Status()>& write);
  Error duplicate_key(const Index& index, const IndexKey& entry);

  storage::Engine& engine_;
  const Collection& collection_;
  WriteUnit& unit_;
  bson::Document& error_extra_;
  bool bypasses_validation_ = false;
  const Index* conflicting_index_ = nullptr;
  std::vector<IndexKeys> keys_;  // per index; kept for their memory
  IndexKeys old_keys_;
};

}  // namespace restitch::datasource::embedded
