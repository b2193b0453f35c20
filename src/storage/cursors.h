#pragma once

#include <memory>
#include <optional>

#include "storage/engine.h"
#include "storage/range_scan.h"

namespace restitch::storage {

// Cursors over a source. `keep_alive` holds what the source needs (a snapshot); null when the
// source outlives the cursor by contract (a transaction).
std::unique_ptr<RecordCursor> make_record_cursor(const ScanSource& source,
                                                 std::shared_ptr<const void> keep_alive,
                                                 CollectionId collection, bool forward,
                                                 ReadTier tier, std::optional<RecordId> from);
std::unique_ptr<IndexCursor> make_index_cursor(const ScanSource& source,
                                               std::shared_ptr<const void> keep_alive,
                                               IndexRef index, const KeyRange& range, bool forward,
                                               ReadTier tier);

// False unless the bytes can be a stored document: guards against damage that no block checksum
// caught.
bool is_document(std::string_view bytes);

}  // namespace restitch::storage
