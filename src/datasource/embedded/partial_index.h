#pragma once

#include "query/filter/filter.h"

namespace restitch::datasource::embedded {

// Whether every document that matches `query` surely matches `condition` (a partial index's
// filter). May say no for pairs where it holds.
bool implies(const query::Filter& query, const query::Filter& condition);

}  // namespace restitch::datasource::embedded
