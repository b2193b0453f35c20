#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// Puts a unique index in the place of one that is not: `spec` is its new specification. Called
// under the lock of the catalog's changes. Error 359 with {violations: [{ids: […]}]} in
// `error_extra` when documents share a key.
Status make_index_unique(Services& services, const CollectionPtr& collection, const IndexPtr& index,
                         bson::View spec, bson::Document& error_extra);

}  // namespace restitch::datasource::embedded
