#pragma once

#include <optional>

#include "query/pipeline/stage.h"
#include "query/sort.h"

namespace restitch::query {

class SortStage final : public Stage {
 public:
  SortStage(bson::Document spec, SortPattern pattern, std::optional<std::int64_t> limit)
      : spec_(std::move(spec)), pattern_(std::move(pattern)), limit_(limit) {}

  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override;
  StageKind kind() const override { return StageKind::kSort; }
  bool lets_filter_pass(const std::set<std::string>&) const override { return true; }

  const bson::Document& spec() const { return spec_; }
  // The same sort, keeping only the first `limit` documents in memory.
  std::shared_ptr<const SortStage> limited(std::int64_t limit) const {
    return std::make_shared<SortStage>(spec_, pattern_, limit);
  }

 private:
  bson::Document spec_;
  SortPattern pattern_;
  std::optional<std::int64_t> limit_;  // a stage behind cuts; more need not be kept
};

}  // namespace restitch::query
