#include <set>

#include "query/expression/numbers.h"
#include "query/expression/operator.h"
#include "query/expression/value_set.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;
using OrderedViews = std::set<ValueView, ComparatorLess>;

// The set of an operand takes more memory than its bytes.
template <typename Set>
Status insert_all(const Args& args, bson::View array, Set& set) {
  constexpr std::size_t kPerElement = 80;
  for (const bson::Element& element : array) {
    if (set.insert(element.value).second) {
      RESTITCH_CHECK(check_memory(args, set.size() * kPerElement));
    }
  }
  return {};
}

Result<ViewSet> set_of(const Args& args, ValueView operand) {
  auto set = make_value_container<ViewSet>(args.command.comparator);
  RESTITCH_CHECK(insert_all(args, operand.get_document(), set));
  return set;
}

Value array_of(const OrderedViews& values) {
  bson::Builder builder;
  for (const ValueView& value : values) builder.push(value);
  return Value::array(std::move(builder).finish());
}

Error not_arrays(const Args& args, int code, ValueView value) {
  return mongo_error(code, "All operands of " + std::string(args.name) +
                               " must be arrays. One argument is of type: " + type_name(value));
}

Result<Value> union_of(const Args& args) {
  OrderedViews out(ComparatorLess{&args.command.comparator});
  for (const ValueView& operand : args.values) {
    if (operand.is_nullish()) return Value::null();
    if (operand.type() != Type::kArray) return not_arrays(args, 17043, operand);
    RESTITCH_CHECK(insert_all(args, operand.get_document(), out));
  }
  return array_of(out);
}

Result<Value> intersection(const Args& args) {
  OrderedViews out(ComparatorLess{&args.command.comparator});
  bool is_first = true;
  for (const ValueView& operand : args.values) {
    if (operand.is_nullish()) return Value::null();
    if (operand.type() != Type::kArray) return not_arrays(args, 17047, operand);
    if (is_first) {
      RESTITCH_CHECK(insert_all(args, operand.get_document(), out));
    } else if (!out.empty()) {
      RESTITCH_TRY(const ViewSet other, set_of(args, operand));
      std::erase_if(out, [&](const ValueView& value) { return !other.contains(value); });
    }
    is_first = false;
  }
  return array_of(out);
}

Result<Value> difference(const Args& args) {
  if (args.any_nullish()) return Value::null();
  for (std::size_t i = 0; i < 2; ++i) {
    if (args[i].type() == Type::kArray) continue;
    return mongo_error(i == 0 ? 17048 : 17049, "both operands of $setDifference must be arrays. " +
                                                   std::string(i == 0 ? "First" : "Second") +
                                                   " argument is of type: " + type_name(args[i]));
  }
  RESTITCH_TRY(ViewSet seen, set_of(args, args[1]));
  bson::Builder builder;
  for (const bson::Element& element : args[0].get_document()) {
    if (seen.insert(element.value).second) builder.push(element.value);
  }
  return Value::array(std::move(builder).finish());
}

Result<Value> equal(const Args& args) {
  for (std::size_t i = 0; i < args.size(); ++i) {
    if (args[i].type() == Type::kArray) continue;
    return mongo_error(17044, "All operands of $setEquals must be arrays. " +
                                  std::to_string(i + 1) +
                                  "-th argument is of type: " + type_name(args[i]));
  }
  RESTITCH_TRY(const ViewSet first, set_of(args, args[0]));
  for (std::size_t i = 1; i < args.size(); ++i) {
    RESTITCH_TRY(const ViewSet other, set_of(args, args[i]));
    if (other.size() != first.size()) return Value::of(false);
    for (const ValueView& value : other) {
      if (!first.contains(value)) return Value::of(false);
    }
  }
  return Value::of(true);
}

Result<Value> is_subset(const Args& args) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (args[i].type() == Type::kArray) continue;
    return mongo_error(i == 0 ? 17046 : 17042, "both operands of $setIsSubset must be arrays. " +
                                                   std::string(i == 0 ? "First" : "Second") +
                                                   " argument is of type: " + type_name(args[i]));
  }
  RESTITCH_TRY(const ViewSet larger, set_of(args, args[1]));
  for (const bson::Element& element : args[0].get_document()) {
    if (!larger.contains(element.value)) return Value::of(false);
  }
  return Value::of(true);
}

template <bool decisive>
Result<Value> quantified(const Args& args) {
  const auto array = args[0].as_array();
  if (!array) {
    return mongo_error(
        decisive ? 17041 : 17040,
        std::string(args.name) + "'s argument must be an array, but is " + type_name(args[0]));
  }
  for (const bson::Element& element : *array) {
    if (element.value.truthy() == decisive) return Value::of(decisive);
  }
  return Value::of(!decisive);
}

constexpr OperatorDefinition kOperators[] = {
    eager("$setUnion", 0, kAnyNumber, union_of),
    eager("$setIntersection", 0, kAnyNumber, intersection),
    eager("$setDifference", 2, difference),
    eager("$setEquals", 2, kAnyNumber, equal),
    eager("$setIsSubset", 2, is_subset),
    eager("$allElementsTrue", 1, quantified<false>),
    eager("$anyElementTrue", 1, quantified<true>),
};

}  // namespace

OperatorTable set_operators() { return kOperators; }

}  // namespace restitch::query
