#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "datasource/embedded/plan_cache.h"
#include "datasource/embedded/planner.h"
#include "query/context.h"
#include "storage/engine.h"

namespace restitch::datasource::embedded {

// A query as far as the choice among its plans depends on it.
struct ChoiceRequest {
  PlanRequest plan;
  bson::View filter, sort, projection;  // as given, for the cache
  std::int64_t skip = 0;
  std::optional<std::int64_t> limit;
  const query::CommandContext* context = nullptr;
  // Where trials read; null: the plan that looks best is taken.
  const storage::Reader* reader = nullptr;
  storage::ReadTier tier = storage::ReadTier::kAll;
  bool uses_cache = true;
};

struct PlanChoice {
  QueryPlan plan;
  std::vector<QueryPlan> rejected;
  // Of a plan that was chosen among several: where the choice is remembered. It is to be forgotten
  // when running it takes far more works than the trial did.
  std::shared_ptr<PlanCache> cache;
  QueryShape shape;
  std::uint64_t expected_works = 0;
  bool is_from_cache = false;
};

// Picks the plan: the only candidate, the remembered one, or the winner of a bounded trial in which
// all candidates run side by side. Errors: those of candidate_plans and of the trial's reads;
// kWouldBlock when the trial would wait for the disk or be long.
Result<PlanChoice> choose_plan(const ChoiceRequest& request);

// A run of `works` has ended (or goes on beyond it).
void note_works(const PlanChoice& choice, std::uint64_t works);

}  // namespace restitch::datasource::embedded
