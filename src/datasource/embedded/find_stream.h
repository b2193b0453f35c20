#pragma once

#include <memory>
#include <optional>
#include <string>

#include "datasource/embedded/cursors.h"
#include "datasource/embedded/executor.h"
#include "datasource/embedded/plan_choice.h"
#include "query/context.h"
#include "query/filter/filter.h"
#include "query/projection.h"
#include "query/sort.h"

namespace restitch::datasource::embedded {

struct FindRequest {
  bson::View filter, projection, sort, min, max;
  bson::ValueView hint;
  bson::Timestamp read_time{UINT32_MAX, UINT32_MAX};  // see PlanRequest
  // Where plans are tried (see ChoiceRequest); null: no trial. Not kept.
  const storage::Reader* reader = nullptr;
  storage::ReadTier tier = storage::ReadTier::kAll;
  bool uses_plan_cache = true;
  std::string_view distinct_key;  // see PlanRequest
  std::int64_t skip = 0;
  std::optional<std::int64_t> limit;
  bool returns_key = false;
  bool shows_record_id = false;
  bool counts_only = false;
};

// The results of a find over one collection: plan, executor, projection and everything they refer
// to.
class FindStream final : public ResultStream {
 public:
  // `context` holds what the command fixes (see Operation::fill_context). The views of the request
  // are not kept.
  static Result<std::unique_ptr<FindStream>> make(CollectionPtr collection,
                                                  const FindRequest& request,
                                                  std::unique_ptr<query::CommandContext> context);

  void attach(const storage::Reader& reader, storage::SnapshotPtr snapshot, storage::ReadTier tier,
              WorkBudget* budget) override;
  void detach() override;
  void set_deadline(std::chrono::steady_clock::time_point deadline) override {
    context_->deadline = deadline;
  }
  Result<bool> next() override;
  bson::View document() const override {
    return projected_ ? projected_->view() : executor_->document();
  }
  void summarize(ExecutionSummary& summary) const override { summary.add(choice_.plan, *executor_); }
  bool is_finished() const override { return limit_ && given_ >= *limit_; }

  // Document as stored, before the projection.
  bson::View stored() const { return executor_->document(); }
  const PlanExecutor& executor() const { return *executor_; }
  PlanExecutor& executor() { return *executor_; }
  const QueryPlan& plan() const { return choice_.plan; }
  const PlanChoice& choice() const { return choice_; }
  std::int64_t given() const { return given_; }
  const query::Filter& filter() const { return *filter_; }
  const query::Projection* projection() const { return projection_ ? &*projection_ : nullptr; }
  const query::SortPattern* sort() const { return sort_ ? &*sort_ : nullptr; }
  const query::CommandContext& context() const { return *context_; }
  const CollectionPtr& collection() const { return collection_; }

  ~FindStream() override;

 private:
  FindStream() = default;
  Status decide(const FindRequest& request);
  bson::Document index_key_document() const;

  CollectionPtr collection_;
  std::unique_ptr<query::CommandContext> context_;
  bson::Document filter_spec_;
  std::optional<query::Filter> filter_;
  std::optional<query::SortPattern> sort_;
  std::optional<query::Projection> projection_;
  bson::Document hint_owner_;
  PlanChoice choice_;
  std::unique_ptr<PlanExecutor> executor_;
  storage::SnapshotPtr snapshot_;
  std::optional<bson::Document> projected_;
  std::optional<std::int64_t> limit_;
  std::int64_t given_ = 0;
  bool returns_key_ = false, shows_record_id_ = false;
};

}  // namespace restitch::datasource::embedded
