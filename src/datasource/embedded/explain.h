#pragma once

#include "bson/document.h"
#include "datasource/embedded/find_stream.h"

namespace restitch::datasource::embedded {

// What a plan is for, as explain shows it (spec: mongodb-engine §10.4).
struct PlanDescription {
  const QueryPlan* plan = nullptr;
  const query::Filter* filter = nullptr;  // null: no collection is read
  bson::View sort, projection;
  bool is_simple_projection = true;
  bool shows_key = false;  // returnKey
  std::int64_t skip = 0;
  std::optional<std::int64_t> limit;
  bool is_count = false;
  bool is_distinct_scan = false;
  std::string_view write_stage;  // UPDATE, DELETE or empty
  bool would_upsert = false;
};

// The stages of the plan; with `run`, which has ended, as executionStages with their counters.
bson::Document plan_stages(const PlanDescription& description);
bson::Document execution_stages(const PlanDescription& description, const PlanExecutor& run,
                                std::int64_t returned, std::int64_t millis);

// The member `queryPlanner`.
void append_query_planner(bson::Builder& reply, std::string_view ns,
                          const PlanDescription& description, const FindStream& stream);

}  // namespace restitch::datasource::embedded
