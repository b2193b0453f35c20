#include "query/expression/accumulator.h"
#include "query/expression/nodes.h"
#include "query/expression/percentile.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

// An accumulator over its operands; a single array operand stands for its elements.
class AccumulatorNode final : public CompositeNode {
 public:
  AccumulatorNode(AccumulatorFactory factory, std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)), factory_(factory) {}

  Result<Value> evaluate(EvalContext& context) const override {
    const AccumulatorPtr accumulator = factory_(context.command);
    for (const ExpressionPtr& operand : operands()) {
      Value storage;
      RESTITCH_TRY(const ValueView value, operand->peek(context, storage));
      if (operands().size() == 1 && value.type() == Type::kArray) {
        for (const bson::Element& element : value.get_document()) {
          RESTITCH_CHECK(accumulator->add(element.value));
        }
      } else {
        RESTITCH_CHECK(accumulator->add(value));
      }
    }
    return accumulator->result();
  }

 private:
  AccumulatorFactory factory_;
};

Result<ExpressionPtr> parse_accumulator(const bson::Element& element,
                                        const ExpressionCompiler& compiler) {
  const OperatorDefinition any{element.name, 0, kAnyNumber};
  RESTITCH_TRY(auto operands, compile_operands(any, element.value, compiler));
  return make_folded<AccumulatorNode>(compiler.context, find_accumulator(element.name),
                                      std::move(operands));
}

class PercentileNode final : public CompositeNode {
 public:
  explicit PercentileNode(PercentileSpec spec)
      : CompositeNode({spec.input}), spec_(std::move(spec)) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView value, operand(0).peek(context, storage));
    Percentiles percentiles;
    if (const auto array = value.as_array()) {
      for (const bson::Element& element : *array) percentiles.add(element.value);
    } else {
      percentiles.add(value);
    }
    return percentiles.result(spec_);
  }

 private:
  PercentileSpec spec_;
};

Result<ExpressionPtr> parse_percentile_call(const bson::Element& element,
                                            const ExpressionCompiler& compiler) {
  RESTITCH_TRY(PercentileSpec spec, parse_percentile(element, compiler));
  return make_folded<PercentileNode>(compiler.context, std::move(spec));
}

constexpr OperatorDefinition kOperators[] = {
    parsed("$sum", parse_accumulator),        parsed("$avg", parse_accumulator),
    parsed("$min", parse_accumulator),        parsed("$max", parse_accumulator),
    parsed("$stdDevPop", parse_accumulator),  parsed("$stdDevSamp", parse_accumulator),
    parsed("$median", parse_percentile_call), parsed("$percentile", parse_percentile_call),
};

}  // namespace

OperatorTable accumulator_operators() { return kOperators; }

}  // namespace restitch::query
