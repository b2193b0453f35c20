#include "query/expression/numbers.h"
#include "query/expression/operator.h"

namespace restitch::query {
namespace {

using bson::Value;

Result<Value> type_of(const Args& args) { return Value::of(bson::alias_of(args[0].type())); }

Result<Value> is_number(const Args& args) { return Value::of(args[0].is_number()); }

constexpr OperatorDefinition kOperators[] = {
    eager("$type", 1, type_of),
    eager("$isNumber", 1, is_number),
};

}  // namespace

OperatorTable type_operators() { return kOperators; }

}  // namespace restitch::query
