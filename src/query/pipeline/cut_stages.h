#pragma once

#include <cstdint>

#include "query/pipeline/stage.h"

namespace restitch::query {

class LimitStage final : public Stage {
 public:
  explicit LimitStage(std::int64_t limit) : limit_(limit) {}
  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override;
  StageKind kind() const override { return StageKind::kLimit; }
  std::int64_t limit() const { return limit_; }

 private:
  std::int64_t limit_;
};

class SkipStage final : public Stage {
 public:
  explicit SkipStage(std::int64_t skip) : skip_(skip) {}
  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override;
  StageKind kind() const override { return StageKind::kSkip; }
  std::int64_t skip() const { return skip_; }

 private:
  std::int64_t skip_;
};

}  // namespace restitch::query
