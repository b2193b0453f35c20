#include "query/expression/nodes.h"

namespace restitch::query {
namespace {

using bson::Value;
using bson::ValueView;

// $and and $or: stops at the first operand that decides.
class LogicalNode final : public CompositeNode {
 public:
  LogicalNode(bool decisive, std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)), decisive_(decisive) {}

  Result<Value> evaluate(EvalContext& context) const override {
    for (const ExpressionPtr& operand : operands()) {
      Value storage;
      RESTITCH_TRY(const ValueView value, operand->peek(context, storage));
      if (value.truthy() == decisive_) return Value::of(decisive_);
    }
    return Value::of(!decisive_);
  }

 private:
  bool decisive_;
};

template <bool decisive>
Result<ExpressionPtr> parse_logical(const bson::Element& element,
                                    const ExpressionCompiler& compiler) {
  const OperatorDefinition any{element.name, 0, kAnyNumber};
  RESTITCH_TRY(auto operands, compile_operands(any, element.value, compiler));
  return make_folded<LogicalNode>(compiler.context, decisive, std::move(operands));
}

Result<Value> negate(const Args& args) { return Value::of(!args[0].truthy()); }

constexpr OperatorDefinition kOperators[] = {
    parsed("$and", parse_logical<false>),
    parsed("$or", parse_logical<true>),
    eager("$not", 1, negate),
};

}  // namespace

OperatorTable boolean_operators() { return kOperators; }

}  // namespace restitch::query
