#pragma once

#include "bson/document.h"
#include "datasource/embedded/find_stream.h"

namespace restitch::datasource::embedded {

// The winning plan of a find as explain prints it (spec: mongodb-engine §10.4).
struct PlanDescription {
  const QueryPlan* plan = nullptr;
  const Collection* collection = nullptr;
  bson::View filter;  // as given
  bson::View sort, projection;
  bool is_simple_projection = true;
  std::int64_t skip = 0;
  std::optional<std::int64_t> limit;
  bool is_count = false;
  std::string_view write_stage;  // UPDATE, DELETE or empty
};
bson::Document winning_plan(const PlanDescription& description);

}  // namespace restitch::datasource::embedded
