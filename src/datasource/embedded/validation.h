#pragma once

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/collection.h"

namespace restitch::datasource::embedded {

// Applies a collection's validator to a document about to be stored; `before` is the stored one for
// an update, null for an insert. Error 121, with {errInfo} in `error_extra` (spec: mongodb-engine
// §11).
Status check_document(const Collection& collection, bson::View document, const bson::View* before,
                      bson::Document& error_extra);

}  // namespace restitch::datasource::embedded
