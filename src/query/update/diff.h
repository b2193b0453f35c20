#pragma once

#include <optional>

#include "bson/document.h"
#include "query/update/change_log.h"

namespace restitch::query {

// How a document came from another (spec: mongodb-engine §12). Nothing when the difference would be
// as large as the new document: that is a replacement.
std::optional<ChangeLog> diff_documents(bson::View before, bson::View after);

}  // namespace restitch::query
