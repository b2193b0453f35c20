#pragma once

#include "app/config.h"
#include "app/tree.h"
#include "bson/document.h"

namespace restitch::app {

// The one JSON object in which a client sends a configuration (spec: app-config §2.1 and §2.2), of
// the tree's version. Plain JSON: wrappers of Extended JSON are not decoded.
bson::Document to_import_document(const Tree& tree);

// The files that an import document stands for. It must have been parsed as plain JSON
// (JsonOptions::extended = false). Unknown members are left alone; a member of a wrong type is
// reported. Without a config_version it is taken for 20210101, or for the oldest layouts when its
// parts have their form.
Tree from_import_document(bson::View document, Findings& findings);

// The flat object of `GET …/pull` and `PATCH …/push` (spec: app-config §2.3), in both directions.
// The tree is in the layout of 20230101.
bson::Document to_push_document(const Tree& tree);
Tree from_push_document(bson::View document, Findings& findings);

}  // namespace restitch::app
