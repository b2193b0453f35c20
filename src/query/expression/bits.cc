#include "query/expression/numbers.h"
#include "query/expression/operator.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

Error not_an_integer(const Args& args, ValueView value) {
  return mongo_error(14, std::string(args.name) + " only supports int and long operands, not " +
                             type_name(value) + ".");
}

template <typename Combine>
Result<Value> combine(const Args& args, std::int64_t start, Combine function) {
  std::int64_t out = start;
  bool is_small = true;
  bool nullish = false;
  for (const ValueView& value : args.values) {
    if (value.is_nullish()) {
      nullish = true;
      continue;
    }
    if (!is_integer(value)) return not_an_integer(args, value);
    out = function(out, integer_of(value));
    is_small = is_small && value.type() == Type::kInt32;
  }
  if (nullish) return Value::null();
  return make_integer(out, is_small);
}

Result<Value> bit_and(const Args& args) { return combine(args, -1, std::bit_and<>()); }
Result<Value> bit_or(const Args& args) { return combine(args, 0, std::bit_or<>()); }
Result<Value> bit_xor(const Args& args) { return combine(args, 0, std::bit_xor<>()); }

Result<Value> bit_not(const Args& args) {
  const ValueView a = args[0];
  if (a.is_nullish()) return Value::null();
  if (!is_integer(a)) return not_an_integer(args, a);
  return make_integer(~integer_of(a), a.type() == Type::kInt32);
}

constexpr OperatorDefinition kOperators[] = {
    eager("$bitAnd", 0, kAnyNumber, bit_and),
    eager("$bitOr", 0, kAnyNumber, bit_or),
    eager("$bitXor", 0, kAnyNumber, bit_xor),
    eager("$bitNot", 1, bit_not),
};

}  // namespace

OperatorTable bit_operators() { return kOperators; }

}  // namespace restitch::query
