#pragma once

#include <vector>

#include "base/result.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// Enters all documents of a collection into indexes that writers maintain already
// (Catalog::begin_indexes), after the writers that do not know of them have ended. Errors as in
// MongoDB: "Index build failed: …" with 11000, 171 …; 276 when the collection is dropped meanwhile.
Status build_indexes(Services& services, const CollectionPtr& former, const CollectionPtr& building,
                     const std::vector<storage::IndexId>& idents, bson::Document& error_extra);

}  // namespace restitch::datasource::embedded
