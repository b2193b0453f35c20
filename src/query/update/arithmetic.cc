// $inc, $mul and $bit.

#include <vector>

#include "bson/decimal.h"
#include "query/element_text.h"
#include "query/expression/numbers.h"
#include "query/update/modifier.h"

namespace restitch::query {
namespace {

// A number with its type, as messages about overflow print it.
std::string typed_text(bson::ValueView number) {
  const std::int64_t value = integer_of(number);
  const bool is_long = number.type() == bson::Type::kInt64;
  return (is_long ? "(NumberLong)" : "(NumberInt)") + std::to_string(value);
}

bson::Value integer_result(std::int64_t value, bool both_int32) {
  const auto narrow = static_cast<std::int32_t>(value);
  if (both_int32 && narrow == value) return bson::Value::of(narrow);
  return bson::Value::of(value);
}

class ArithmeticModifier final : public Modifier {
 public:
  ArithmeticModifier(bson::ValueView operand, bool is_increment)
      : operand_(operand), is_increment_(is_increment) {}

  Result<Change> apply(const UpdateTarget& target) const override {
    if (target.value.is_missing()) return Change::set(initial());
    if (!target.value.is_number()) {
      return mongo_error(14, "Cannot apply " + name() + " to a value of non-numeric type. {" +
                                 document_id_text(target.context.document) + "} has the field '" +
                                 std::string(target.field) + "' of non-numeric type " +
                                 std::string(bson::alias_of(target.value.type())));
    }
    auto result = compute(target.value);
    if (!result) {
      return mongo_error(2, "Failed to apply " + name() + " operations to current value (" +
                                typed_text(target.value) + ") for document {" +
                                document_id_text(target.context.document) + "}");
    }
    return Change::set(*std::move(result));
  }

 private:
  std::string name() const { return is_increment_ ? "$inc" : "$mul"; }

  bson::Value initial() const {
    if (is_increment_) return operand_;
    switch (operand_.type()) {
      case bson::Type::kInt32:
        return bson::Value::of(std::int32_t{0});
      case bson::Type::kInt64:
        return bson::Value::of(std::int64_t{0});
      case bson::Type::kDouble:
        return bson::Value::of(0.0);
      default:
        return bson::Value::of(bson::decimal_from_int64(0));
    }
  }

  // Nothing when the result does not fit a 64-bit integer.
  std::optional<bson::Value> compute(bson::ValueView current) const {
    const bson::ValueView operand = operand_;
    const auto either = [&](bson::Type type) {
      return current.type() == type || operand.type() == type;
    };
    if (either(bson::Type::kDecimal128)) {
      const bson::Decimal128 a = decimal_of(current);
      const bson::Decimal128 b = decimal_of(operand);
      return bson::Value::of(is_increment_ ? bson::decimal_add(a, b)
                                           : bson::decimal_multiply(a, b));
    }
    if (either(bson::Type::kDouble)) {
      const double a = *current.as_double();
      const double b = *operand.as_double();
      return bson::Value::of(is_increment_ ? a + b : a * b);
    }
    std::int64_t result = 0;
    const bool overflow =
        is_increment_ ? __builtin_add_overflow(integer_of(current), integer_of(operand), &result)
                      : __builtin_mul_overflow(integer_of(current), integer_of(operand), &result);
    if (overflow) return std::nullopt;
    return integer_result(result, !either(bson::Type::kInt64));
  }

  bson::Value operand_;
  bool is_increment_;
};

struct BitStep {
  enum class Kind : std::uint8_t { kAnd, kOr, kXor } kind;
  std::int64_t operand;
  bool is_int32;
};

class BitModifier final : public Modifier {
 public:
  explicit BitModifier(std::vector<BitStep> steps) : steps_(std::move(steps)) {}

  Result<Change> apply(const UpdateTarget& target) const override {
    std::int64_t value = 0;
    bool is_int32 = true;
    if (target.value.type() == bson::Type::kInt32 || target.value.type() == bson::Type::kInt64) {
      value = integer_of(target.value);
      is_int32 = target.value.type() == bson::Type::kInt32;
    } else if (!target.value.is_missing()) {
      return mongo_error(2, "Cannot apply $bit to a value of non-integral type." +
                                document_id_text(target.context.document) + " has the field " +
                                std::string(target.field) + " of non-integer type " +
                                std::string(bson::alias_of(target.value.type())));
    }
    for (const BitStep& step : steps_) {
      if (step.kind == BitStep::Kind::kAnd) value &= step.operand;
      if (step.kind == BitStep::Kind::kOr) value |= step.operand;
      if (step.kind == BitStep::Kind::kXor) value ^= step.operand;
      is_int32 = is_int32 && step.is_int32;
    }
    return Change::set(integer_result(value, is_int32));
  }

 private:
  std::vector<BitStep> steps_;
};

}  // namespace

Result<ModifierPtr> make_arithmetic(std::string_view operator_name, const bson::Element& element) {
  const bool is_increment = operator_name == "$inc";
  if (!element.value.is_number()) {
    return mongo_error(14, std::string("Cannot ") + (is_increment ? "increment" : "multiply") +
                               " with non-numeric argument: {" + element_text(element) + "}");
  }
  return ModifierPtr(std::make_unique<ArithmeticModifier>(element.value, is_increment));
}

Result<ModifierPtr> make_bit(const bson::Element& element) {
  const auto operations = element.value.as_object();
  if (!operations) {
    return mongo_error(2, "The $bit modifier is not compatible with a " +
                              std::string(bson::alias_of(element.value.type())) +
                              ". You must pass in an embedded document: {$bit: {field: "
                              "{and/or/xor: #}}");
  }
  std::vector<BitStep> steps;
  for (const bson::Element& operation : *operations) {
    BitStep step{};
    if (operation.name == "and") {
      step.kind = BitStep::Kind::kAnd;
    } else if (operation.name == "or") {
      step.kind = BitStep::Kind::kOr;
    } else if (operation.name == "xor") {
      step.kind = BitStep::Kind::kXor;
    } else {
      return mongo_error(2, "The $bit modifier only supports 'and', 'or', and 'xor', not '" +
                                std::string(operation.name) + "' which is an unknown operator: {" +
                                element_text(operation) + "}");
    }
    const bson::Type type = operation.value.type();
    if (type != bson::Type::kInt32 && type != bson::Type::kInt64) {
      return mongo_error(2, "The $bit modifier field must be an Integer(32/64 bit); a '" +
                                std::string(bson::alias_of(type)) + "' is not supported here: {" +
                                element_text(operation) + "}");
    }
    step.operand = integer_of(operation.value);
    step.is_int32 = type == bson::Type::kInt32;
    steps.push_back(step);
  }
  if (steps.empty()) {
    return mongo_error(2,
                       "You must pass in at least one bitwise operation. The format is: {$bit: "
                       "{field: {and/or/xor: #}}");
  }
  return ModifierPtr(std::make_unique<BitModifier>(std::move(steps)));
}

}  // namespace restitch::query
