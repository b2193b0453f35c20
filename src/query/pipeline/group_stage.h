#pragma once

#include <vector>

#include "query/pipeline/group_field.h"

namespace restitch::query {

class GroupStage final : public Stage {
 public:
  GroupStage(ExpressionPtr id, std::vector<GroupField> fields)
      : id_(std::move(id)), fields_(std::move(fields)) {}

  Result<DocumentStreamPtr> open(DocumentStreamPtr input, const RunPtr& run) const override;
  bool ignores_contents() const override;

 private:
  ExpressionPtr id_;
  std::vector<GroupField> fields_;
};

}  // namespace restitch::query
