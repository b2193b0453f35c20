#pragma once

#include <string_view>

#include "bson/document.h"

namespace restitch::rules {

// Paths as change events write them: members of objects by name, elements of arrays by index. Names that hold dots cannot be
// told from nested ones: they are not found.

// The value at the path; missing when there is none.
bson::ValueView value_at(bson::View document, std::string_view path);

// The document with `value` at the path, in place of what is there or at the end; members on the way are made. Arrays are not
// grown: a path that ends outside of one leaves the document as it is.
bson::Document with_value_at(bson::View document, std::string_view path, bson::ValueView value);

}  // namespace restitch::rules
