#include "datasource/embedded/plan_choice.h"

#include <algorithm>

#include "datasource/embedded/change_log.h"
#include "datasource/embedded/executor.h"

namespace restitch::datasource::embedded {

namespace {

constexpr std::int64_t kEnoughResults = 101;  // a first batch
constexpr std::int64_t kInlineWorks = 512;    // per candidate, on the caller's thread
constexpr std::int64_t kMaxWorks = 10'000;    // per candidate
constexpr std::int64_t kFirstRound = 32;      // works; each round doubles them
constexpr std::uint64_t kMinExpectedWorks = 100;
constexpr std::uint64_t kPatience = 10;
constexpr std::size_t kMaxShapeBytes = 16U << 10U;  // of shapes and queries that are kept

std::string signature_of(const QueryPlan& plan) {
  std::string text = std::to_string(static_cast<int>(plan.access));
  // Merged scans are one index; how many there are depends on the values.
  const std::size_t named = plan.access == Access::kIndexUnion ? plan.scans.size() : 1;
  for (std::size_t at = 0; at < std::min(named, plan.scans.size()); ++at) {
    text += " " + std::to_string(plan.scans[at].index->ident);
  }
  if (plan.needs_sort) text += " sorted";
  return text;
}

// One candidate's run.
class Contestant {
 public:
  Contestant(const ChoiceRequest& request, const QueryPlan& plan) : plan_(plan) {
    must_end_ = plan_.needs_sort;  // a sort needs all there is
    plan_.needs_sort = false;
    ExecutorOptions options;
    options.filter = request.plan.filter;
    options.context = request.context;
    enough_ = kEnoughResults;
    if (request.limit) enough_ = std::min(enough_, *request.limit + request.skip);
    executor_ = std::make_unique<PlanExecutor>(request.plan.collection.get(), plan_, options);
  }
  Contestant(const Contestant&) = delete;
  Contestant& operator=(const Contestant&) = delete;

  // Works on until the total of `works`; true when all that is wanted was found.
  Result<bool> run(const ChoiceRequest& request, std::int64_t works) {
    WorkBudget budget{works - spent_};
    executor_->attach(*request.reader, request.tier, &budget);
    for (;;) {
      auto found = executor_->next();
      if (!found) {
        const bool is_used_up = budget.left < 0;
        executor_->detach();
        if (!is_used_up) return std::move(found).error();
        spent_ = works;
        return false;
      }
      if (*found) ++results_;
      if (!*found || (!must_end_ && results_ >= enough_)) {
        spent_ = works - std::max<std::int64_t>(budget.left, 0);
        executor_->detach();
        return true;
      }
    }
  }

  std::int64_t spent() const { return spent_; }
  double productivity() const {
    return static_cast<double>(results_) / static_cast<double>(std::max<std::int64_t>(spent_, 1));
  }

 private:
  QueryPlan plan_;
  std::unique_ptr<PlanExecutor> executor_;
  std::int64_t enough_ = 0, results_ = 0, spent_ = 0;
  bool must_end_ = false;
};

struct Outcome {
  std::size_t winner = 0;
  std::uint64_t works = 0;
};

Result<Outcome> hold_trial(const ChoiceRequest& request, const std::vector<QueryPlan>& plans) {
  std::vector<std::unique_ptr<Contestant>> contestants;
  for (const QueryPlan& plan : plans) {
    contestants.push_back(std::make_unique<Contestant>(request, plan));
  }
  const bool is_inline = request.tier == storage::ReadTier::kCacheOnly;
  for (std::int64_t works = kFirstRound; works <= kMaxWorks; works *= 2) {
    if (is_inline && works > kInlineWorks) {
      return Error(ErrorCode::kWouldBlock, "choosing a plan is too much work for this thread");
    }
    std::optional<std::size_t> first;
    for (std::size_t at = 0; at < contestants.size(); ++at) {
      RESTITCH_TRY(const bool is_done, contestants[at]->run(request, works));
      if (is_done && (!first || contestants[at]->spent() < contestants[*first]->spent())) {
        first = at;
      }
    }
    if (first) {
      return Outcome{*first, static_cast<std::uint64_t>(contestants[*first]->spent())};
    }
  }
  std::size_t best = 0;
  for (std::size_t at = 1; at < contestants.size(); ++at) {
    if (contestants[at]->productivity() > contestants[best]->productivity()) best = at;
  }
  return Outcome{best, static_cast<std::uint64_t>(kMaxWorks)};
}

void settle(PlanChoice& choice, std::vector<QueryPlan> plans, std::size_t winner) {
  choice.plan = std::move(plans[winner]);
  plans.erase(plans.begin() + static_cast<std::ptrdiff_t>(winner));
  choice.rejected = std::move(plans);
}

}  // namespace

Result<PlanChoice> choose_plan(const ChoiceRequest& request) {
  RESTITCH_TRY(std::vector<QueryPlan> plans, candidate_plans(request.plan));
  PlanChoice choice;
  if (plans.size() == 1 || request.reader == nullptr) {
    settle(choice, std::move(plans), 0);
    return choice;
  }
  choice.shape =
      shape_of(*request.plan.filter, request.sort, request.projection, request.plan.collation);
  choice.cache = request.plan.collection->plan_cache;
  if (request.uses_cache) {
    if (const auto cached = choice.cache->find(choice.shape)) {
      const auto same = std::find_if(plans.begin(), plans.end(), [&](const QueryPlan& plan) {
        return signature_of(plan) == cached->signature;
      });
      if (same != plans.end()) {
        choice.expected_works = cached->works;
        choice.is_from_cache = true;
        settle(choice, std::move(plans), static_cast<std::size_t>(same - plans.begin()));
        return choice;
      }
    }
  }
  RESTITCH_TRY(const Outcome outcome, hold_trial(request, plans));
  choice.expected_works = outcome.works;
  settle(choice, std::move(plans), outcome.winner);
  if (request.uses_cache && choice.shape.text.size() <= kMaxShapeBytes) {
    PlanCache::Entry entry;
    entry.shape = choice.shape;
    entry.plan = {signature_of(choice.plan), outcome.works};
    if (request.filter.size() <= kMaxShapeBytes) entry.query = bson::Document(request.filter);
    entry.sort = bson::Document(request.sort);
    entry.projection = bson::Document(request.projection);
    if (request.plan.collation != nullptr) entry.collation = request.plan.collation->spec();
    entry.created = wall_clock();
    choice.cache->put(std::move(entry));
  }
  return choice;
}

void note_works(const PlanChoice& choice, std::uint64_t works) {
  if (!choice.is_from_cache) return;
  if (works > kPatience * std::max(choice.expected_works, kMinExpectedWorks)) {
    choice.cache->remove(choice.shape);
  }
}

}  // namespace restitch::datasource::embedded
