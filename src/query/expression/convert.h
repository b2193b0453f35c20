#pragma once

#include "base/result.h"
#include "bson/document.h"

namespace restitch::query {

// $convert of a value that is neither null nor missing. Error 241 with MongoDB's text when it
// cannot be converted.
Result<bson::Value> convert_value(bson::ValueView value, bson::Type target);

}  // namespace restitch::query
