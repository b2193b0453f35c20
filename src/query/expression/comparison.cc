#include "query/expression/operator.h"

namespace restitch::query {
namespace {

using bson::Value;

template <typename Test>
Result<Value> compare(const Args& args, Test test) {
  return Value::of(static_cast<bool>(test(args.command.comparator.compare(args[0], args[1]))));
}

Result<Value> order_of(const Args& args) {
  const int order = args.command.comparator.compare(args[0], args[1]);
  return Value::of(static_cast<std::int32_t>(order < 0 ? -1 : order > 0 ? 1 : 0));
}
Result<Value> equal(const Args& args) {
  return compare(args, [](int order) { return order == 0; });
}
Result<Value> unequal(const Args& args) {
  return compare(args, [](int order) { return order != 0; });
}
Result<Value> greater(const Args& args) {
  return compare(args, [](int order) { return order > 0; });
}
Result<Value> at_least(const Args& args) {
  return compare(args, [](int order) { return order >= 0; });
}
Result<Value> less(const Args& args) {
  return compare(args, [](int order) { return order < 0; });
}
Result<Value> at_most(const Args& args) {
  return compare(args, [](int order) { return order <= 0; });
}

constexpr OperatorDefinition kOperators[] = {
    eager("$cmp", 2, order_of), eager("$eq", 2, equal),     eager("$ne", 2, unequal),
    eager("$gt", 2, greater),   eager("$gte", 2, at_least), eager("$lt", 2, less),
    eager("$lte", 2, at_most),
};

}  // namespace

OperatorTable comparison_operators() { return kOperators; }

}  // namespace restitch::query
