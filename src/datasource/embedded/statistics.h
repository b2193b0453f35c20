#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "datasource/embedded/namespace.h"
#include "datasource/embedded/services.h"

namespace restitch::datasource::embedded {

// Members of collStats for one collection; `scale` divides sizes. Null: zeros.
void append_collection_statistics(bson::Builder& builder, const Services& services,
                                  const Collection* collection, std::string_view full_name,
                                  std::int64_t scale);
// Source documents of $collStats, $indexStats and $currentOp.
Result<std::vector<bson::Document>> stage_statistics(Services& services, const Namespace& ns,
                                                     std::string_view stage, bson::View spec);

}  // namespace restitch::datasource::embedded
