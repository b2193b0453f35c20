#pragma once

#include <mutex>
#include <vector>

#include "base/result.h"
#include "datasource/embedded/namespace.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// Changes of the catalog, one at a time whoever asks. All wait for the disk (and for writers): to
// be called on a thread that may.

using SchemaLock = std::unique_lock<std::timed_mutex>;
// Takes the lock of the catalog's changes. A transaction waits only briefly and then gets a write
// conflict: whoever holds the lock may be waiting for the transaction to end.
Status lock_schema(SchemaLock& lock, bool in_transaction);

// Creates the collection unless it is there. Error 166 for a view.
Status ensure_collection(Services& services, const Namespace& ns, bool in_transaction = false);
// A new collection with the options and indexes of `model` (null: plain).
Status create_like(Services& services, const Namespace& ns, const CollectionPtr& model);
// Puts `source` in the place of `target`, which is dropped.
Status replace_collection(Services& services, const Namespace& source, const Namespace& target);
// Drops a collection if it is there; a failure is logged.
void drop_quietly(Services& services, const Namespace& ns);

// What createIndexes did.
struct IndexCreation {
  std::int32_t before = 0, after = 0;
  bool created_collection = false;
  bool did_nothing = false;
};
// Creates indexes as the command does: conflicts 85, 86, build, duplicates.
Result<IndexCreation> create_indexes(Services& services, const Namespace& ns,
                                     const std::vector<bson::View>& specs,
                                     bool in_transaction = false);

}  // namespace restitch::datasource::embedded
