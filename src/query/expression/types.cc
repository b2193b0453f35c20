#include "query/expression/numbers.h"
#include "query/expression/operator.h"
#include "query/hashed_key.h"

namespace restitch::query {
namespace {

using bson::Value;

Result<Value> type_of(const Args& args) { return Value::of(bson::alias_of(args[0].type())); }

Result<Value> to_hashed_index_key(const Args& args) { return Value::of(hashed_key(args[0])); }

Result<Value> is_number(const Args& args) { return Value::of(args[0].is_number()); }

constexpr OperatorDefinition kOperators[] = {
    eager("$type", 1, type_of),
    eager("$isNumber", 1, is_number),
    eager("$toHashedIndexKey", 1, to_hashed_index_key),
};

}  // namespace

OperatorTable type_operators() { return kOperators; }

}  // namespace restitch::query
