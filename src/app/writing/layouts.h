#pragma once

#include "app/config.h"
#include "app/tree.h"

namespace restitch::app {

// The same configuration in the layout of another version (20180301, 20200603, 20210101,
// 20230101). What that layout cannot hold is left out and told as a warning.
Tree to_layout(const Tree& tree, int config_version, Findings& findings);

// Name of the root file of a layout; "" for an unknown version.
std::string_view root_file_of(int config_version);

}  // namespace restitch::app
