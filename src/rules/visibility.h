#pragma once

#include "rules/bound_rules.h"
#include "rules/expression/query_maker.h"

namespace restitch::rules {

// What can be said about all stored documents before any is read. After a call of these functions,
// has_pending() of the rules may be true: then resolve and call again.

struct Visibility {
  Pushed readable;        // documents of which something may be readable; exact: exactly those
  bool is_whole = false;  // whoever is readable is readable in full
};
Visibility visibility_of(BoundRules& rules);
// Of documents that may be searched, too.
Visibility search_visibility_of(BoundRules& rules);
// Says only whether the first role shows every document whole. Much cheaper; for reads of one
// document, where nothing is gained by knowing what the rules say of all others.
Visibility rough_visibility_of(BoundRules& rules);

struct WriteReach {
  Pushed applying;  // documents to which a role may apply; exact: exactly those
  bool may_update =
      false;  // every update of every such document is allowed, and all of it is readable
  bool may_delete = false;  // every such document may be deleted, and all of it is readable
  bool may_insert = false;  // every document may be inserted
};
WriteReach write_reach_of(BoundRules& rules);

// Whether `name`, a top-level field, is readable in every document of which something is readable.
bool is_always_readable(BoundRules& rules, std::string_view name);

}  // namespace restitch::rules
