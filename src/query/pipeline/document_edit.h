#pragma once

#include <span>
#include <string>

#include "bson/document.h"

namespace restitch::query {

// Value at a path through objects only; missing when something else is in the way.
bson::ValueView object_path(bson::View document, std::span<const std::string> path);

// The document with the value at the path; objects are made where they are missing, what is no
// object is replaced. A missing value takes the field away.
bson::Document with_path(bson::View document, std::span<const std::string> path,
                         bson::ValueView value);

}  // namespace restitch::query
