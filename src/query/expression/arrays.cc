#include <algorithm>

#include "bson/extended_json.h"
#include "query/expression/nodes.h"
#include "query/expression/numbers.h"
#include "query/path.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

Result<Value> size(const Args& args) {
  const auto array = args[0].as_array();
  if (!array) {
    return mongo_error(
        17124, "The argument to $size must be an array, but was of type: " + type_name(args[0]));
  }
  return Value::of(static_cast<std::int32_t>(array->count()));
}

Result<Value> is_array(const Args& args) { return Value::of(args[0].type() == Type::kArray); }

Result<Value> concatenate(const Args& args) {
  bson::Builder builder;
  for (const ValueView& value : args.values) {
    if (value.is_nullish()) return Value::null();
    if (value.type() != Type::kArray) {
      return mongo_error(28664, "$concatArrays only supports arrays, not " + type_name(value));
    }
    RESTITCH_CHECK(check_memory(args, builder.size() + value.raw().size()));
    for (const bson::Element& element : value.get_document()) builder.push(element.value);
  }
  return Value::array(std::move(builder).finish());
}

Result<Value> reverse(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  const auto array = args[0].as_array();
  if (!array) {
    return mongo_error(34435, "The argument to $reverseArray must be an array, but was of type: " +
                                  type_name(args[0]));
  }
  std::vector<ValueView> elements;
  for (const bson::Element& element : *array) elements.push_back(element.value);
  bson::Builder builder;
  for (auto at = elements.rbegin(); at != elements.rend(); ++at) builder.push(*at);
  return Value::array(std::move(builder).finish());
}

Result<std::int32_t> range_bound(ValueView value, int code, const char* which) {
  if (!value.is_number()) {
    return mongo_error(code, std::string("$range requires a numeric ") + which +
                                 " value, found value of type: " + type_name(value));
  }
  if (const auto integer = as_int32(value)) return *integer;
  return mongo_error(code + 1,
                     std::string("$range requires a") +
                         (std::string_view(which) == "ending" ? "n " : " ") + which +
                         " value that can be represented as a 32-bit integer, found value: " +
                         bson::to_shell(value));
}

// MongoDB's estimate of the memory that the numbers take.
Status check_range(const Args& args, std::int64_t start, std::int64_t end, std::int64_t step) {
  constexpr std::int64_t kHeaderBytes = 24;
  constexpr std::int64_t kBytesPerElement = 16;
  const std::int64_t steps = (end - start) / step;
  const std::int64_t bytes = kHeaderBytes + (steps >= 0 ? (steps + 1) * kBytesPerElement : 0);
  const std::int64_t limit = args.command.memory_limit;
  if (bytes < limit) return {};
  return mongo_error(146, "$range would use too much memory (" + std::to_string(bytes) +
                              " bytes) and cannot spill to disk. Memory limit: " +
                              std::to_string(limit) + " bytes");
}

Result<Value> range(const Args& args) {
  RESTITCH_TRY(const std::int64_t start, range_bound(args[0], 34443, "starting"));
  RESTITCH_TRY(const std::int64_t end, range_bound(args[1], 34445, "ending"));
  std::int64_t step = 1;
  if (args.size() > 2) {
    RESTITCH_TRY(step, range_bound(args[2], 34447, "step"));
    if (step == 0) return mongo_error(34449, "$range requires a non-zero step value");
  }
  RESTITCH_CHECK(check_range(args, start, end, step));
  bson::Builder builder;
  for (std::int64_t at = start; step > 0 ? at < end : at > end; at += step) {
    builder.push(static_cast<std::int32_t>(at));
  }
  return Value::array(std::move(builder).finish());
}

Result<Value> contains(const Args& args) {
  const auto array = args[1].as_array();
  if (!array) {
    return mongo_error(40081,
                       "$in requires an array as a second argument, found: " + type_name(args[1]));
  }
  for (const bson::Element& element : *array) {
    if (args.command.comparator.equal(args[0], element.value)) return Value::of(true);
  }
  return Value::of(false);
}

Result<std::int64_t> index_bound(const Args& args, std::size_t at, const char* which) {
  const ValueView value = args[at];
  const auto integer = as_int32(value);
  if (!integer) {
    return mongo_error(40096, std::string(args.name) + " requires an integral " + which +
                                  ", found a value of type: " + type_name(value) +
                                  ", with value: " + bson::to_shell(value));
  }
  if (*integer < 0) {
    return mongo_error(40097, std::string(args.name) + " requires a nonnegative " + which +
                                  ", found: " + std::to_string(*integer));
  }
  return *integer;
}

Result<Value> index_of(const Args& args) {
  if (args[0].is_nullish()) return Value::null();
  const auto array = args[0].as_array();
  if (!array) {
    return mongo_error(
        40090, "$indexOfArray requires an array as a first argument, found: " + type_name(args[0]));
  }
  std::int64_t start = 0;
  std::int64_t end = std::numeric_limits<std::int64_t>::max();
  if (args.size() > 2) {
    RESTITCH_TRY(start, index_bound(args, 2, "starting index"));
  }
  if (args.size() > 3) {
    RESTITCH_TRY(end, index_bound(args, 3, "ending index"));
  }
  std::int32_t index = 0;
  for (const bson::Element& element : *array) {
    if (index >= end) break;
    if (index >= start && args.command.comparator.equal(element.value, args[1])) {
      return Value::of(index);
    }
    ++index;
  }
  return Value::of(std::int32_t{-1});
}

Result<Value> slice(const Args& args) {
  if (args.any_nullish()) return Value::null();
  const auto array = args[0].as_array();
  if (!array) {
    return mongo_error(
        28724, "First argument to $slice must be an array, but is of type: " + type_name(args[0]));
  }
  if (!args[1].is_number()) {
    return mongo_error(
        28725,
        "Second argument to $slice must be a numeric value, but is of type: " + type_name(args[1]));
  }
  const auto second = as_int32(args[1]);
  if (!second) {
    return mongo_error(28726,
                       "Second argument to $slice can't be represented as a 32-bit integer: " +
                           bson::to_shell(args[1]));
  }
  const auto count = static_cast<std::int64_t>(array->count());
  std::int64_t start = 0;
  std::int64_t end = 0;
  if (args.size() == 2) {
    start = *second >= 0 ? 0 : std::max<std::int64_t>(0, count + *second);
    end = *second >= 0 ? *second : count;
  } else {
    if (!args[2].is_number()) {
      return mongo_error(
          28727, "Third argument to $slice must be numeric, but is of type: " + type_name(args[2]));
    }
    const auto third = as_int32(args[2]);
    if (!third) {
      return mongo_error(28728,
                         "Third argument to $slice can't be represented as a 32-bit integer: " +
                             bson::to_shell(args[2]));
    }
    if (*third <= 0) {
      return mongo_error(28729,
                         "Third argument to $slice must be positive: " + std::to_string(*third));
    }
    start = *second >= 0 ? *second : std::max<std::int64_t>(0, count + *second);
    end = start + *third;
  }
  bson::Builder builder;
  std::int64_t index = 0;
  for (const bson::Element& element : *array) {
    if (index >= end) break;
    if (index >= start) builder.push(element.value);
    ++index;
  }
  return Value::array(std::move(builder).finish());
}

class ZipNode final : public CompositeNode {
 public:
  // The inputs, then as many defaults or none.
  ZipNode(std::size_t inputs, bool longest, std::vector<ExpressionPtr> operands)
      : CompositeNode(std::move(operands)), inputs_(inputs), longest_(longest) {}

  Result<Value> evaluate(EvalContext& context) const override {
    std::vector<std::vector<ValueView>> columns(inputs_);
    std::vector<Value> storage(operands().size());
    std::size_t rows = longest_ ? 0 : std::numeric_limits<std::size_t>::max();
    bool nullish = false;
    for (std::size_t i = 0; i < inputs_; ++i) {
      RESTITCH_TRY(const ValueView input, operand(i).peek(context, storage[i]));
      if (input.is_nullish()) {
        nullish = true;
        continue;
      }
      if (input.type() != Type::kArray) {
        return mongo_error(34468,
                           "$zip found a non-array expression in input: " + bson::to_shell(input));
      }
      for (const bson::Element& element : input.get_document()) columns[i].push_back(element.value);
      rows = longest_ ? std::max(rows, columns[i].size()) : std::min(rows, columns[i].size());
    }
    if (nullish) return Value::null();
    std::vector<ValueView> defaults(inputs_);
    for (std::size_t i = inputs_; i < operands().size(); ++i) {
      RESTITCH_TRY(defaults[i - inputs_], operand(i).peek(context, storage[i]));
    }
    HeldBytes held(context, "$zip");
    for (const Value& value : storage) RESTITCH_CHECK(held.add(value.view().raw().size()));
    return transpose(context, columns, defaults, rows);
  }

 private:
  static Result<Value> transpose(EvalContext& context,
                                 const std::vector<std::vector<ValueView>>& columns,
                                 const std::vector<ValueView>& defaults, std::size_t rows) {
    bson::Builder builder;
    HeldBytes held(context, "$zip");
    for (std::size_t row = 0; row < rows; ++row) {
      RESTITCH_CHECK(held.set(builder.size()));
      builder.push_open_array();
      for (std::size_t i = 0; i < columns.size(); ++i) {
        const ValueView value = row < columns[i].size() ? columns[i][row] : defaults[i];
        if (value.is_missing()) {
          builder.push(bson::Null{});
        } else {
          builder.push(value);
        }
      }
      builder.close();
    }
    return Value::array(std::move(builder).finish());
  }

  std::size_t inputs_;
  bool longest_;
};

Result<std::vector<ExpressionPtr>> zip_list(const bson::Element& argument, int code,
                                            const ExpressionCompiler& compiler) {
  const auto array = argument.value.as_array();
  if (!array) {
    return mongo_error(code, std::string(argument.name) +
                                 " must be an array of expressions, found " +
                                 type_name(argument.value));
  }
  std::vector<ExpressionPtr> list;
  for (const bson::Element& element : *array) {
    RESTITCH_TRY(ExpressionPtr compiled, compiler.compile(element.value));
    list.push_back(std::move(compiled));
  }
  return list;
}

Result<ExpressionPtr> parse_zip(const bson::Element& element, const ExpressionCompiler& compiler) {
  if (element.value.type() != Type::kObject) {
    return mongo_error(
        34460, "$zip only supports an object as an argument, found " + type_name(element.value));
  }
  std::vector<ExpressionPtr> inputs;
  std::vector<ExpressionPtr> defaults;
  bool longest = false;
  for (const bson::Element& argument : element.value.get_document()) {
    if (argument.name == "inputs") {
      RESTITCH_TRY(inputs, zip_list(argument, 34461, compiler));
    } else if (argument.name == "defaults") {
      RESTITCH_TRY(defaults, zip_list(argument, 34462, compiler));
    } else if (argument.name == "useLongestLength") {
      const auto flag = argument.value.as_bool();
      if (!flag) {
        return mongo_error(34463,
                           "useLongestLength must be a bool, found " + type_name(argument.value));
      }
      longest = *flag;
    } else {
      return mongo_error(34464, "$zip found an unknown argument: " + std::string(argument.name));
    }
  }
  if (inputs.empty()) return mongo_error(34465, "$zip requires at least one input array");
  if (!defaults.empty() && !longest) {
    return mongo_error(34466, "cannot specify defaults unless useLongestLength is true");
  }
  if (!defaults.empty() && defaults.size() != inputs.size()) {
    return mongo_error(34467, "defaults and inputs must have the same length");
  }
  const std::size_t count = inputs.size();
  inputs.insert(inputs.end(), defaults.begin(), defaults.end());
  return make_folded<ZipNode>(compiler.context, count, longest, std::move(inputs));
}

constexpr OperatorDefinition kOperators[] = {
    eager("$size", 1, size),
    eager("$isArray", 1, is_array),
    eager("$concatArrays", 0, kAnyNumber, concatenate),
    eager("$reverseArray", 1, reverse),
    eager("$range", 2, 3, range),
    eager("$in", 2, contains),
    eager("$indexOfArray", 2, 4, index_of),
    eager("$slice", 2, 3, slice),
    parsed("$zip", parse_zip),
};

}  // namespace

OperatorTable array_operators() { return kOperators; }

}  // namespace restitch::query
