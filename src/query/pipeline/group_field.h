#pragma once

#include <memory>
#include <string>

#include "query/expression/accumulator.h"
#include "query/pipeline/stage.h"

namespace restitch::query {

// One computed field of $group, $bucket and their kin: how its accumulator starts and what it is
// fed.
class AccumulatorPlan {
 public:
  virtual ~AccumulatorPlan() = default;
  // `group` is evaluated against the group's _id: it serves the `n` of $firstN and others.
  virtual Result<AccumulatorPtr> start(EvalContext& group) const = 0;
  virtual Status feed(Accumulator& accumulator, EvalContext& document) const = 0;
  virtual bool ignores_contents() const { return false; }
};

struct GroupField {
  std::string name;
  std::string operator_name;
  std::shared_ptr<const AccumulatorPlan> plan;
};

// {name: {$sum: …}}: errors 40234 to 40238, 15952.
Result<GroupField> compile_group_field(const bson::Element& element, const StageCompiler& compiler);

// The counted and ordered accumulators ($firstN, $top, …); null for other names.
Result<std::shared_ptr<const AccumulatorPlan>> compile_counted_plan(const bson::Element& element,
                                                                    const StageCompiler& compiler);

// The accumulators of one group.
class GroupState {
 public:
  static Result<GroupState> start(std::span<const GroupField> fields, EvalContext& group);
  // Returns by how many bytes the group has grown.
  Result<std::int64_t> feed(std::span<const GroupField> fields, EvalContext& document);
  void append_results(std::span<const GroupField> fields, bson::Builder& builder) const;

 private:
  std::vector<AccumulatorPtr> accumulators_;
};

}  // namespace restitch::query
