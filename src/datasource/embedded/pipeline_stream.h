#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>

#include "datasource/embedded/catalog_view.h"
#include "datasource/embedded/cursors.h"
#include "datasource/embedded/find_stream.h"
#include "datasource/embedded/services.h"
#include "query/pipeline/pipeline.h"

namespace restitch::datasource::embedded {

inline constexpr int kMaxViewDepth = 20;

// What stages reach of the cluster: other collections, statistics, $out and $merge.
class ClusterEnvironment final : public query::PipelineEnvironment {
 public:
  struct Access {
    const storage::Reader* reader = nullptr;
    storage::SnapshotPtr snapshot;  // null when `reader` is a transaction
    storage::ReadTier tier = storage::ReadTier::kAll;
    WorkBudget* budget = nullptr;
  };

  ClusterEnvironment(Services& services, const CatalogView& catalog,
                     const query::CommandContext& context, Namespace ns)
      : services_(services), catalog_(catalog), context_(context), ns_(std::move(ns)) {}

  // What is opened later, and what is still being read, reads so.
  void set_access(Access access);
  const Access& access() const { return access_; }
  void set_bypass_validation(bool bypass) { bypasses_validation_ = bypass; }
  void set_error_extra(bson::Document* extra) { error_extra_ = extra; }

  Result<query::DocumentStreamPtr> open(std::string_view database, std::string_view collection,
                                        bson::View filter) override;
  Status out(std::string_view database, std::string_view collection,
             query::DocumentStream& input) override;
  Status merge(const query::MergeSpec& spec, bson::View document, bson::View let_values) override;
  Result<std::vector<bson::Document>> statistics(std::string_view stage, bson::View spec) override;

 private:
  class Input;

  Services& services_;
  CatalogView catalog_;
  std::unordered_set<Input*> inputs_;  // open ones
  const query::CommandContext& context_;
  Namespace ns_;
  Access access_;
  bool bypasses_validation_ = false;
  bson::Document* error_extra_ = nullptr;
};

struct PipelineRequest {
  Namespace ns;       // collection empty for aggregate: 1
  bson::View stages;  // an array
  bson::ValueView hint;
  bson::Timestamp read_time{UINT32_MAX, UINT32_MAX};  // see PlanRequest
  const storage::Reader* reader = nullptr;            // see FindRequest
  storage::ReadTier tier = storage::ReadTier::kAll;
  bool bypasses_validation = false;
  // Where a stage that writes puts what its error reply says besides the error; null: nowhere. Such
  // a stage is done before the stream's first result.
  bson::Document* error_extra = nullptr;
  int view_depth = 0;
  std::optional<CatalogView> catalog;  // nothing: the collections of now
};

// The results of an aggregation: the source read through a plan, the rest of the pipeline over it.
class PipelineStream final : public ResultStream {
 public:
  // Compiles the pipeline over the collection, or over what a view stands for. The views of the
  // request are not kept.
  static Result<std::unique_ptr<PipelineStream>> make(
      Services& services, const PipelineRequest& request,
      std::unique_ptr<query::CommandContext> context);

  void attach(const storage::Reader& reader, storage::SnapshotPtr snapshot, storage::ReadTier tier,
              WorkBudget* budget) override;
  void detach() override;
  void set_deadline(std::chrono::steady_clock::time_point deadline) override;
  Result<bool> next() override;
  bson::View document() const override { return current_; }

  void summarize(ExecutionSummary& summary) const override {
    if (source_) source_->summarize(summary);
  }

  bool writes() const { return pipeline_->writes(); }
  // Whether no stage is left behind what the source does.
  bool is_all_pushed_down() const { return pipeline_->empty(); }
  // Null when the pipeline needs no collection.
  const FindStream* source() const { return source_.get(); }
  bson::View stages() const { return stages_; }
  // How many of the first stages the source does.
  std::size_t pushed_stages() const;
  // What the source does of the first stages besides the filter.
  struct Pushed {
    bson::Document sort;
    std::int64_t skip = 0;
    std::optional<std::int64_t> limit;
  };
  const Pushed& pushed() const { return pushed_; }
  // Ident of the collection that is read; 0 if none.
  storage::CollectionId collection() const;

 private:
  PipelineStream() = default;
  Status open_source(const CollectionPtr& collection, const PipelineRequest& request);

  std::unique_ptr<query::CommandContext> context_;
  bson::Document stages_;
  std::optional<query::Pipeline> pipeline_;
  Pushed pushed_;
  std::unique_ptr<FindStream> source_;
  std::unique_ptr<ClusterEnvironment> environment_;
  query::DocumentStreamPtr stream_;
  bson::View current_;
};

// Stages of a view in front of others: one array.
bson::Document concatenated(bson::View first, bson::View second);
// Name of a pipeline's first stage; empty if there is none.
std::string_view first_stage(bson::View stages);

}  // namespace restitch::datasource::embedded
