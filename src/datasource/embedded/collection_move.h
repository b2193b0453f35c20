#pragma once

#include "base/result.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// Moves a collection to another database: a copy of options, indexes and documents takes the name
// (of `dropped_target`, if there is one), then the source is dropped. Nobody writes meanwhile.
// Called under the lock of the catalog's changes, on a thread that may wait.
Status move_collection(Services& services, const CollectionPtr& source, const Namespace& to,
                       const CollectionPtr& dropped_target);

}  // namespace restitch::datasource::embedded
