#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/element_choice.h"
#include "query/expression/nodes.h"
#include "query/expression/numbers.h"
#include "query/path.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

Error not_an_array(const Args& args, const char* which) {
  return mongo_error(28689, std::string(args.name) + "'s " + which + " must be an array, but is " +
                                type_name(args[0]));
}

ValueView last_element(bson::View array) {
  ValueView last;
  for (const bson::Element& element : array) last = element.value;
  return last;
}

Value element_at(bson::View array, std::int64_t index) {
  if (index == -1) return Value(last_element(array));
  if (index < 0) index += static_cast<std::int64_t>(array.count());
  return index < 0 ? Value() : Value(array_element(array, static_cast<std::size_t>(index)));
}

Result<Value> array_element_at(const Args& args) {
  if (args.any_nullish()) return Value::null();
  const auto array = args[0].as_array();
  if (!array) return not_an_array(args, "first argument");
  if (!args[1].is_number()) {
    return mongo_error(28690, "$arrayElemAt's second argument must be a numeric value, but is " +
                                  type_name(args[1]));
  }
  const auto index = as_int32(args[1]);
  if (!index) {
    return mongo_error(28691,
                       "$arrayElemAt's second argument must be representable as a 32-bit "
                       "integer: " +
                           bson::to_shell(args[1]));
  }
  return element_at(*array, *index);
}

Result<Value> first(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  const auto array = args[0].as_array();
  if (!array) return not_an_array(args, "argument");
  return element_at(*array, 0);
}

Result<Value> last(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  const auto array = args[0].as_array();
  if (!array) return not_an_array(args, "argument");
  return element_at(*array, -1);
}

constexpr NamedArgument kCountedNames[] = {{"input", 5787907}, {"n", 5787906}};
constexpr NamedArguments kCounted = {{5787900, "specification must be an object; found %o: %t"},
                                     {5787901, "Unknown argument for 'n' operator: %a"},
                                     "Missing value for '%a'",
                                     kCountedNames};

enum class Choice : std::uint8_t { kFirst, kLast, kMin, kMax };

std::vector<ValueView> elements_of(bson::View array, Choice choice) {
  std::vector<ValueView> elements;
  const bool skips_null = choice == Choice::kMin || choice == Choice::kMax;
  for (const bson::Element& element : array) {
    if (!skips_null || !element.value.is_nullish()) elements.push_back(element.value);
  }
  return elements;
}

template <Choice choice>
Result<Value> choose(const Args& args) {
  RESTITCH_TRY(const std::int64_t n, element_count(args[1]));
  const auto array = args[0].as_array();
  if (!array) {
    return mongo_error(5788200, "Input must be an array for " + std::string(args.name));
  }
  std::vector<ValueView> elements = elements_of(*array, choice);
  const Comparator& comparator = args.command.comparator;
  if (choice == Choice::kMin || choice == Choice::kMax) {
    std::stable_sort(elements.begin(), elements.end(), [&](ValueView a, ValueView b) {
      const int order = comparator.compare(a, b);
      return choice == Choice::kMin ? order < 0 : order > 0;
    });
  }
  const auto count = std::min<std::size_t>(static_cast<std::size_t>(n), elements.size());
  const std::size_t start = choice == Choice::kLast ? elements.size() - count : 0;
  bson::Builder builder;
  for (std::size_t i = start; i < start + count; ++i) builder.push(elements[i]);
  return Value::array(std::move(builder).finish());
}

class SortArrayNode final : public CompositeNode {
 public:
  SortArrayNode(ElementOrder order, ExpressionPtr input)
      : CompositeNode({std::move(input)}), order_(std::move(order)) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView input, operand(0).peek(context, storage));
    if (input.is_nullish()) return Value::null();
    if (input.type() != Type::kArray) {
      return mongo_error(2942504,
                         "The input argument to $sortArray must be an array, but was of "
                         "type: " +
                             type_name(input));
    }
    std::vector<std::pair<ElementOrder::Key, ValueView>> keyed;
    for (const bson::Element& element : input.get_document()) {
      RESTITCH_TRY(ElementOrder::Key key, order_.key_of(element.value));
      keyed.emplace_back(std::move(key), element.value);
    }
    std::stable_sort(keyed.begin(), keyed.end(), [this](const auto& a, const auto& b) {
      return order_.less(a.first, b.first);
    });
    bson::Builder builder;
    for (const auto& entry : keyed) builder.push(entry.second);
    return Value::array(std::move(builder).finish());
  }

 private:
  ElementOrder order_;
};

Result<ExpressionPtr> parse_sort_array(const bson::Element& element,
                                       const ExpressionCompiler& compiler) {
  if (element.value.type() != Type::kObject) {
    return mongo_error(2942500, "$sortArray requires an object as an argument, found: " +
                                    type_name(element.value));
  }
  ExpressionPtr input;
  std::optional<ElementOrder> order;
  for (const bson::Element& argument : element.value.get_document()) {
    if (argument.name == "input") {
      RESTITCH_TRY(input, compiler.compile(argument.value));
    } else if (argument.name == "sortBy") {
      RESTITCH_TRY(order,
                   ElementOrder::compile(argument.value, compiler.context, 2942507, "$sort"));
    } else {
      return mongo_error(2942501,
                         "$sortArray found an unknown argument: " + std::string(argument.name));
    }
  }
  if (!input) return mongo_error(2942502, "$sortArray requires 'input' to be specified");
  if (!order) return mongo_error(2942503, "$sortArray requires 'sortBy' to be specified");
  return make_folded<SortArrayNode>(compiler.context, std::move(*order), std::move(input));
}

constexpr OperatorDefinition kOperators[] = {
    eager("$arrayElemAt", 2, array_element_at),
    eager("$first", 1, first),
    eager("$last", 1, last),
    with_names("$firstN", kCounted, choose<Choice::kFirst>),
    with_names("$lastN", kCounted, choose<Choice::kLast>),
    with_names("$minN", kCounted, choose<Choice::kMin>),
    with_names("$maxN", kCounted, choose<Choice::kMax>),
    parsed("$sortArray", parse_sort_array),
};

}  // namespace

OperatorTable array_element_operators() { return kOperators; }

}  // namespace restitch::query
