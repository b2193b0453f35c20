#pragma once

#include <vector>

#include "query/comparator.h"
#include "query/filter/filter.h"

namespace restitch::datasource::embedded {

// Filters of one conjunction with the collation they are matched by.
struct Premise {
  std::vector<const query::FilterNode*> nodes;
  const query::Collation* collation = nullptr;
};

// Whether every document that matches all of the premise surely matches `condition` (a partial
// index's filter, matched by the index's collation). May say no where it holds.
bool implies(const Premise& premise, const query::Filter& condition,
             const query::Collation* index_collation);

}  // namespace restitch::datasource::embedded
