#pragma once

#include <set>
#include <string>

#include "query/pipeline/stage.h"

namespace restitch::query {

class MatchStage final : public DocumentStage {
 public:
  static Result<std::shared_ptr<const MatchStage>> compile(bson::View query,
                                                           const StageCompiler& compiler);

  Result<std::optional<bson::Document>> apply(bson::Document document,
                                              RunContext& run) const override;
  StageKind kind() const override { return StageKind::kMatch; }
  bool lets_filter_pass(const std::set<std::string>&) const override { return true; }
  bool is_deterministic() const override { return !samples_; }

  const bson::Document& query() const { return query_; }
  // Whether the query means the same without the variables of the pipeline's scope.
  bool is_self_contained() const { return is_self_contained_; }
  // Top-level fields it reads; nothing when that is not known.
  const std::optional<std::set<std::string>>& fields() const { return fields_; }

 private:
  bson::Document query_;
  Filter filter_;
  std::optional<std::set<std::string>> fields_;
  bool is_self_contained_ = true;
  bool samples_ = false;  // by $sampleRate
};

// Top-level fields that a filter reads; nothing when that is not known.
std::optional<std::set<std::string>> fields_read(const Filter& filter);

// A query that both queries must match.
bson::Document both_queries(const bson::Document& a, const bson::Document& b);

}  // namespace restitch::query
