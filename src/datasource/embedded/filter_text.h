#pragma once

#include <vector>

#include "bson/document.h"
#include "query/filter/filter.h"

namespace restitch::datasource::embedded {

// A compiled filter in the form in which MongoDB's explain shows it: every predicate with its
// operator, $ne and $nin as $not, several predicates under $and.
bson::Document normalized_filter(const query::Filter& filter);

// The same without the predicates of the top conjunction that are `decided` already.
bson::Document residual_filter(const query::Filter& filter,
                               const std::vector<const query::FilterNode*>& decided);

}  // namespace restitch::datasource::embedded
