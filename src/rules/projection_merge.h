#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "bson/document.h"

namespace restitch::rules {

// The projections of all filters that apply to a request as one (spec: rules §4): inclusive ones
// show the union of their fields, exclusive ones withhold the union. {} when there are none.
// kInvalidArgument when both kinds meet. A request's own projection is applied to what this one
// leaves, so that it never shows a withheld field.
Result<bson::Document> merge_filter_projections(const std::vector<bson::Document>& projections);

}  // namespace restitch::rules
