#pragma once

#include <optional>

#include "bson/document.h"

namespace restitch::datasource::mongodb {

// A deployment may refuse a whole command for a part that it does not know but that changes
// nothing there: the simple collation, where it has no other, and a time limit that this server has
// added. The command without that part; nothing when something else was refused, or a part that
// the caller means.
std::optional<bson::Document> without_refused_part(bson::View body, bson::View reply,
                                                   bool limit_is_ours);

}  // namespace restitch::datasource::mongodb
