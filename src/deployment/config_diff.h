#pragma once

#include <string>
#include <vector>

#include "app/tree.h"

namespace restitch::deployment {

// Unified diffs of the files that differ, one a file, in the order of their paths; empty when both
// mean the same (spec: app-config §16.2).
std::vector<std::string> diff_of(app::Tree before, app::Tree after);

// One file's unified diff with three lines of context; "" when the texts are equal. "" stands for a
// file that is not there.
std::string unified_diff(const std::string& path, const std::string& before,
                         const std::string& after);

}  // namespace restitch::deployment
