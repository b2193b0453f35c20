#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::query {

// Rules for documents about to be stored; each gives MongoDB's error.

// No array, regex, undefined (53), and no `$`-names inside (52).
Status check_id(bson::ValueView id);
// At most kMaxDepth levels (15).
Status check_depth(bson::View document);
// `$`-names at the top level (52); a DBRef's own names must stand together (55).
Status check_top_level_names(bson::View document);

enum class TooLarge { kUpdate, kUpsert };
Status check_size(bson::View document, TooLarge context);  // 17419, 17420

// The document with this _id as its first field, and with `now` in place of top-level Timestamp(0,
// 0) values.
bson::Document with_id_first(bson::ValueView id, bson::View document,
                             std::optional<bson::Timestamp> now);

}  // namespace restitch::query
