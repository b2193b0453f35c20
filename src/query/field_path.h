#pragma once

#include <string_view>

#include "base/result.h"

namespace restitch::query {

// MongoDB's rules for dotted paths in projections, sort patterns and expressions (errors 40352,
// 40353, 15998, 16410).
Status check_field_path(std::string_view path);

}  // namespace restitch::query
