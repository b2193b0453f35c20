#pragma once

#include <map>
#include <string>

#include "app/config.h"
#include "app/tree.h"

namespace restitch::app {

struct NormalForm {
  bool keep_ids = false;  // `id` and `_id` of entities stay
  bool sort_members =
      false;  // for comparisons: members of objects by name, entries of lists by key
};

// Brings every file into the one form in which exports have it: the order of members, defaults
// written or left out as the hosted service did, files named after what they hold, the manifest of
// the functions complete. Two configurations that mean the same become equal; doing it again
// changes nothing. Works in the tree's own layout. secrets.json and .mdb are left out.
void normalise(Tree& tree, NormalForm form = {});

// Adds the files that every export has (spec: app-config §17): five environments, the api-key
// provider, empty lists.
void complete(Tree& tree);

// Writes the names of the secrets that secrets.json made into the secret_config of the files and
// takes secrets.json out. `config` is what assemble() made of the tree.
void adopt_secret_names(Tree& tree, const Config& config);

}  // namespace restitch::app
