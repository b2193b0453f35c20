#pragma once

#include <cstdint>

#include "bson/view.h"

namespace restitch::query {

// The key of a value in a hashed index, as MongoDB computes it ($toHashedIndexKey): the first eight
// bytes of an MD5 over types, names and values, in which all numbers count as integers. Missing
// counts as null.
std::int64_t hashed_key(bson::ValueView value);

}  // namespace restitch::query
