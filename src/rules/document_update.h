#pragma once

#include <optional>

#include "bson/document.h"

namespace restitch::rules {

// The update {$set, $unset} that makes `after` of `before`, byte for byte and by any server.
// Nothing where operators cannot do it, as when the order of fields or a name with a dot changes,
// or when nothing changes.
std::optional<bson::Document> update_between(bson::View before, bson::View after);

}  // namespace restitch::rules
