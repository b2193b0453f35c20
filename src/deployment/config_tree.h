#pragma once

#include "app/tree.h"
#include "deployment/app_store.h"
#include "deployment/stored_config.h"

namespace restitch::deployment {

struct TreeOptions {
  bool with_ids = false;      // `id` of every entity
  bool with_identity = true;  // app_id and the place where the app runs
};

// The configuration as the files of the layout of 20210101.
app::Tree to_tree(const StoredConfig& config, const AppIdentity& app, TreeOptions options = {});

// What the files (layout of 20210101 or 20230101) hold, every entity with an id of its own and the
// id that the file gives in `given_id`. secrets.json is left out.
StoredConfig from_tree(const app::Tree& tree);

}  // namespace restitch::deployment
