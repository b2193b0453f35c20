#include "query/pipeline/group_field.h"

#include "bson/extended_json.h"
#include "query/expression/nodes.h"
#include "query/expression/percentile.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

class SimplePlan final : public AccumulatorPlan {
 public:
  SimplePlan(AccumulatorFactory factory, ExpressionPtr argument)
      : factory_(factory), argument_(std::move(argument)) {}

  Result<AccumulatorPtr> start(EvalContext& group) const override {
    return factory_(group.command);
  }
  Status feed(Accumulator& accumulator, EvalContext& document) const override {
    Value storage;
    RESTITCH_TRY(const ValueView value, argument_->peek(document, storage));
    return accumulator.add(value);
  }
  bool ignores_contents() const override { return argument_->constant().has_value(); }

 private:
  AccumulatorFactory factory_;
  ExpressionPtr argument_;
};

class PercentileAccumulator final : public Accumulator {
 public:
  explicit PercentileAccumulator(const PercentileSpec& spec) : spec_(spec) {}
  Status add(ValueView value) override {
    percentiles_.add(value);
    return {};
  }
  Value result() const override { return percentiles_.result(spec_); }
  std::size_t memory() const override { return percentiles_.memory(); }

 private:
  const PercentileSpec& spec_;
  Percentiles percentiles_;
};

class PercentilePlan final : public AccumulatorPlan {
 public:
  explicit PercentilePlan(PercentileSpec spec) : spec_(std::move(spec)) {}

  Result<AccumulatorPtr> start(EvalContext&) const override {
    return AccumulatorPtr(std::make_unique<PercentileAccumulator>(spec_));
  }
  Status feed(Accumulator& accumulator, EvalContext& document) const override {
    Value storage;
    RESTITCH_TRY(const ValueView value, spec_.input->peek(document, storage));
    return accumulator.add(value);
  }

 private:
  PercentileSpec spec_;
};

Result<std::shared_ptr<const AccumulatorPlan>> compile_plan(const bson::Element& element,
                                                            const StageCompiler& compiler) {
  using Plan = std::shared_ptr<const AccumulatorPlan>;
  const std::string name(element.name);
  if (name == "$count") {
    const auto object = element.value.as_object();
    if (!object || !object->empty())
      return mongo_error(9, "$count takes no arguments, i.e. $count:{}");
    return Plan(std::make_shared<SimplePlan>(find_accumulator("$sum"),
                                             make_constant(Value::of(std::int32_t{1}))));
  }
  if (name == "$median" || name == "$percentile") {
    RESTITCH_TRY(PercentileSpec spec, parse_percentile(element, compiler.expressions()));
    return Plan(std::make_shared<PercentilePlan>(std::move(spec)));
  }
  if (name == "$accumulator") {
    return mongo_error(31264,
                       "Cannot run server-side javascript without the javascript engine enabled");
  }
  if (const AccumulatorFactory factory = find_accumulator(name)) {
    if (element.value.type() == Type::kArray) {
      return mongo_error(40237, "The " + name + " accumulator is a unary operator");
    }
    RESTITCH_TRY(ExpressionPtr argument, compiler.expression(element.value));
    return Plan(std::make_shared<SimplePlan>(factory, std::move(argument)));
  }
  RESTITCH_TRY(Plan plan, compile_counted_plan(element, compiler));
  if (!plan) return mongo_error(15952, "unknown group operator '" + name + "'");
  return plan;
}

}  // namespace

Result<GroupField> compile_group_field(const bson::Element& element,
                                       const StageCompiler& compiler) {
  const std::string name(element.name);
  if (name.find('.') != std::string::npos) {
    return mongo_error(40235, "The field name '" + name + "' cannot contain '.'");
  }
  if (!name.empty() && name.front() == '$') {
    return mongo_error(40236, "The field name '" + name + "' cannot be an operator name");
  }
  const auto object = element.value.as_object();
  if (!object || object->empty() || object->begin()->name.substr(0, 1) != "$") {
    return mongo_error(40234, "The field '" + name + "' must be an accumulator object");
  }
  const auto first = object->begin();
  auto second = first;
  if (++second != object->end()) {
    return mongo_error(40238, "The field '" + name + "' must specify one accumulator");
  }
  GroupField field;
  field.name = name;
  field.operator_name = first->name;
  RESTITCH_TRY(field.plan, compile_plan(*first, compiler));
  return field;
}

Result<GroupState> GroupState::start(std::span<const GroupField> fields, EvalContext& group) {
  GroupState state;
  state.accumulators_.reserve(fields.size());
  for (const GroupField& field : fields) {
    RESTITCH_TRY(AccumulatorPtr accumulator, field.plan->start(group));
    state.accumulators_.push_back(std::move(accumulator));
  }
  return state;
}

Result<std::int64_t> GroupState::feed(std::span<const GroupField> fields, EvalContext& document) {
  std::int64_t growth = 0;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    Accumulator& accumulator = *accumulators_[i];
    const std::size_t before = accumulator.memory();
    RESTITCH_CHECK(fields[i].plan->feed(accumulator, document));
    const std::size_t after = accumulator.memory();
    growth += static_cast<std::int64_t>(after) - static_cast<std::int64_t>(before);
    if (static_cast<std::int64_t>(after) > document.command.memory_limit) {
      return mongo_error(146, fields[i].operator_name +
                                  " used too much memory and cannot spill to disk. "
                                  "Memory limit: " +
                                  std::to_string(document.command.memory_limit) + " bytes");
    }
  }
  return growth;
}

void GroupState::append_results(std::span<const GroupField> fields, bson::Builder& builder) const {
  for (std::size_t i = 0; i < fields.size(); ++i)
    builder.append(fields[i].name, accumulators_[i]->result());
}

}  // namespace restitch::query
