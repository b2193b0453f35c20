#pragma once

#include <string>

#include "query/update/modifier.h"

namespace restitch::query {

// The two halves of $rename: the source is removed, the target set to what stood there in the
// pre-image.
ModifierPtr make_rename_source();
ModifierPtr make_rename_target(std::string from_path);

}  // namespace restitch::query
