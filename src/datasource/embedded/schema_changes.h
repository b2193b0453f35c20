#pragma once

#include <vector>

#include "base/result.h"
#include "datasource/embedded/namespace.h"
#include "datasource/embedded/services.h"
#include "datasource/embedded/write_unit.h"

namespace restitch::datasource::embedded {

// Changes of the catalog, one at a time whoever asks. All wait for the disk (and for writers): to
// be called on a thread that may.

// A name that a transaction is giving to a collection of its own is a kWriteConflict: to be tried
// again.

// Creates the collection unless it is there. Error 166 for a view.
Status ensure_collection(Services& services, const Namespace& ns);
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
// Creates indexes as the command does: conflicts 85, 86, build, duplicates (with keyPattern and
// keyValue in `error_extra`).
Result<IndexCreation> create_indexes(Services& services, const Namespace& ns,
                                     const std::vector<bson::View>& specs,
                                     bson::Document* error_extra = nullptr);

// The same as part of a transaction: seen by it alone until it commits, gone when it aborts. 263
// for indexes of a collection that was there before or has documents. Never waits.
Result<CollectionPtr> create_in_transaction(Services& services, WriteUnit& unit,
                                            const Namespace& ns, bson::View options);
Result<IndexCreation> create_indexes_in_transaction(Services& services, WriteUnit& unit,
                                                    const CollectionPtr& collection,
                                                    const Namespace& ns,
                                                    const std::vector<bson::View>& specs);

}  // namespace restitch::datasource::embedded
