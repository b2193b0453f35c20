#pragma once

#include "app/tree.h"

namespace restitch::app {

// Puts names in the place of the ids by which providers, triggers, endpoints, resolvers and custom
// user data refer to functions and services of the same tree (in a modern layout). Ids that nothing
// in the tree has stay.
void resolve_ids(Tree& tree);

}  // namespace restitch::app
