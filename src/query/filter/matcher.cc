#include "query/filter/matcher.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

#include "bson/decimal.h"
#include "query/expression/expression.h"
#include "query/filter/json_schema.h"
#include "query/path.h"

namespace restitch::query {
namespace {

bool is_nan(bson::ValueView value) {
  if (value.type() == bson::Type::kDouble) return std::isnan(value.get_double());
  return value.type() == bson::Type::kDecimal128 && bson::decimal_is_nan(value.get_decimal128());
}

// Types whose equal values of one type have equal bytes, whatever the collation.
bool is_bytewise(bson::Type type) {
  switch (type) {
    case bson::Type::kInt32:
    case bson::Type::kInt64:
    case bson::Type::kObjectId:
    case bson::Type::kBool:
    case bson::Type::kDate:
    case bson::Type::kTimestamp:
    case bson::Type::kBinary:
      return true;
    default:
      return false;
  }
}

bool is_numeric_pair(bson::Type a, bson::Type b) {
  return bson::is_number(a) && bson::is_number(b);
}

bool test_type(const FilterNode& node, bson::Type type) {
  if (node.any_number && bson::is_number(type)) return true;
  return std::find(node.types.begin(), node.types.end(), type) != node.types.end();
}

std::optional<std::int64_t> truncated(bson::ValueView number) {
  switch (number.type()) {
    case bson::Type::kInt32:
      return number.get_int32();
    case bson::Type::kInt64:
      return number.get_int64();
    case bson::Type::kDouble: {
      const double value = std::trunc(number.get_double());
      if (!(value >= -9223372036854775808.0 && value < 9223372036854775808.0)) return std::nullopt;
      return static_cast<std::int64_t>(value);
    }
    case bson::Type::kDecimal128: {
      const bson::Decimal128 value = number.get_decimal128();
      if (bson::decimal_is_nan(value) || bson::decimal_is_infinite(value)) return std::nullopt;
      return bson::decimal_to_int64_truncated(value);
    }
    default:
      return std::nullopt;
  }
}

bool test_mod(const FilterNode& node, bson::ValueView value) {
  const auto dividend = truncated(value);
  if (!dividend) return false;
  // The lowest integer divided by -1 overflows; every integer is a multiple of -1.
  if (node.divisor == -1) return node.remainder == 0;
  return *dividend % node.divisor == node.remainder;
}

bool test_regex(const FilterNode& node, bson::ValueView value) {
  switch (value.type()) {
    case bson::Type::kString:
    case bson::Type::kSymbol:
      return node.regexes.front().matches(value.get_string());
    case bson::Type::kRegex:
      return bson::equal(value, node.operand);
    default:
      return false;
  }
}

template <typename IsSet>
bool test_positions(const FilterNode& node, const IsSet& is_set) {
  const auto is_clear = [&](std::uint32_t position) { return !is_set(position); };
  const auto begin = node.bit_positions.begin();
  const auto end = node.bit_positions.end();
  switch (node.bit_test) {
    case BitTest::kAllSet:
      return std::all_of(begin, end, is_set);
    case BitTest::kAllClear:
      return std::all_of(begin, end, is_clear);
    case BitTest::kAnySet:
      return std::any_of(begin, end, is_set);
    case BitTest::kAnyClear:
      return std::any_of(begin, end, is_clear);
  }
  return false;
}

bool test_bits(const FilterNode& node, bson::ValueView value) {
  if (value.type() == bson::Type::kBinary) {
    const std::string_view bytes = value.get_binary().bytes;
    return test_positions(node, [&](std::uint32_t position) {
      const std::size_t byte = position / 8;
      return byte < bytes.size() &&
             (static_cast<unsigned char>(bytes[byte]) >> (position % 8) & 1U) != 0;
    });
  }
  if (value.type() == bson::Type::kDecimal128) return false;
  const auto integer = value.as_integer();
  if (!integer) return false;
  const auto bits = static_cast<std::uint64_t>(*integer);
  return test_positions(
      node, [&](std::uint32_t position) { return (bits >> std::min(position, 63U) & 1U) != 0; });
}

bool test_size(const FilterNode& node, bson::ValueView value) {
  const auto array = value.as_array();
  return array && array->count() == static_cast<std::size_t>(node.remainder);
}

bool is_sampled(double rate) {
  thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator) < rate;
}

// Whether a leaf looks at an array's elements, too, where its path ends in an array.
bool enters_arrays(FilterOp op) {
  return op != FilterOp::kExists && op != FilterOp::kSize && op != FilterOp::kElemMatchObject &&
         op != FilterOp::kElemMatchValue;
}

}  // namespace

template <typename Leaf>
bool Matcher::logical(const FilterNode& node, const Leaf& evaluate) {
  switch (node.op) {
    case FilterOp::kAnd:
      for (const auto& child : node.children) {
        if (!evaluate(*child)) return false;
      }
      return true;
    case FilterOp::kOr:
      for (const auto& child : node.children) {
        if (evaluate(*child)) return true;
      }
      return false;
    default: {  // kNor, kNot: what does not match names no array element
      MatchDetails* const details = std::exchange(details_, nullptr);
      bool any = false;
      for (const auto& child : node.children) any = any || evaluate(*child);
      details_ = details;
      return !any;
    }
  }
}

bool Matcher::document(const FilterNode& node, bson::View document) {
  switch (node.op) {
    case FilterOp::kAnd:
    case FilterOp::kOr:
    case FilterOp::kNor:
    case FilterOp::kNot:
      return logical(node,
                     [&](const FilterNode& child) { return this->document(child, document); });
    case FilterOp::kAlwaysTrue:
      return true;
    case FilterOp::kAlwaysFalse:
      return false;
    case FilterOp::kSampleRate:
      return is_sampled(node.sample_rate);
    case FilterOp::kExpr:
      return test_expression(node, document);
    case FilterOp::kJsonSchema:
      return node.schema->matches(document);
    default:
      return in_object(node, document, 0, kNone);
  }
}

bool Matcher::field_value(const FilterNode& node, bson::ValueView value) {
  switch (node.op) {
    case FilterOp::kAnd:
    case FilterOp::kOr:
    case FilterOp::kNor:
    case FilterOp::kNot:
      return logical(node, [&](const FilterNode& child) { return field_value(child, value); });
    case FilterOp::kAlwaysTrue:
      return true;
    case FilterOp::kAlwaysFalse:
      return false;
    case FilterOp::kSampleRate:
      return is_sampled(node.sample_rate);
    case FilterOp::kExpr:
    case FilterOp::kJsonSchema: {
      const auto object = value.as_object();
      return object && document(node, *object);
    }
    default:
      return reached(node, value, 0, kNone);
  }
}

bool Matcher::exact_value(const FilterNode& node, bson::ValueView value) {
  switch (node.op) {
    case FilterOp::kAnd:
    case FilterOp::kOr:
    case FilterOp::kNor:
    case FilterOp::kNot:
      return logical(node, [&](const FilterNode& child) { return exact_value(child, value); });
    case FilterOp::kAlwaysTrue:
      return true;
    case FilterOp::kAlwaysFalse:
      return false;
    default:
      return accept(node, value, kNone);
  }
}

bool Matcher::in_object(const FilterNode& node, bson::View object, std::size_t depth,
                        std::size_t outer) {
  return reached(node, object.find(node.components[depth]), depth + 1, outer);
}

// `value` stands behind the first `depth` components of the path.
bool Matcher::reached(const FilterNode& node, bson::ValueView value, std::size_t depth,
                      std::size_t outer) {
  if (depth == node.components.size()) return at_end(node, value, outer);
  switch (value.type()) {
    case bson::Type::kObject:
      return in_object(node, value.get_document(), depth, outer);
    case bson::Type::kArray:
      return in_array(node, value.get_document(), depth, outer);
    default:
      return accept(node, {}, outer);
  }
}

// The next component applies to every element that is an object and, when it is a number, names an
// element. `outer` is the position in the first array that was entered without a number.
bool Matcher::in_array(const FilterNode& node, bson::View array, std::size_t depth,
                       std::size_t outer) {
  const auto index = array_index(node.components[depth]);
  const bool is_last = depth + 1 == node.components.size();
  std::size_t position = 0;
  for (const bson::Element& element : array) {
    const bson::ValueView value = element.value;
    if (value.type() == bson::Type::kObject &&
        in_object(node, value.get_document(), depth, outer == kNone ? position : outer)) {
      return true;
    }
    if (index == position) {
      if (is_last) {
        if (accept(node, value, outer)) return true;
      } else if (value.type() == bson::Type::kObject) {
        if (in_object(node, value.get_document(), depth + 1, outer)) return true;
      } else if (value.type() == bson::Type::kArray) {
        if (in_array(node, value.get_document(), depth + 1, outer)) return true;
      }
    }
    ++position;
  }
  return false;
}

bool Matcher::at_end(const FilterNode& node, bson::ValueView value, std::size_t outer) {
  if (value.type() == bson::Type::kArray && enters_arrays(node.op)) {
    std::size_t position = 0;
    for (const bson::Element& element : value.get_document()) {
      if (test(node, element.value)) {
        record(outer == kNone ? position : outer);
        return true;
      }
      ++position;
    }
  }
  return accept(node, value, outer);
}

bool Matcher::accept(const FilterNode& node, bson::ValueView value, std::size_t outer) {
  if (node.op == FilterOp::kElemMatchObject || node.op == FilterOp::kElemMatchValue) {
    return value.type() == bson::Type::kArray && element_matches(node, value.get_document(), outer);
  }
  if (!test(node, value)) return false;
  record(outer);
  return true;
}

bool Matcher::element_matches(const FilterNode& node, bson::View array, std::size_t outer) {
  const FilterNode& child = *node.children.front();
  MatchDetails* const details = std::exchange(details_, nullptr);
  bool found = false;
  std::size_t position = 0;
  for (const bson::Element& element : array) {
    const bson::Type type = element.value.type();
    if (node.op == FilterOp::kElemMatchValue) {
      found = exact_value(child, element.value);
    } else if (type == bson::Type::kObject || type == bson::Type::kArray) {
      found = document(child, element.value.get_document());
    }
    if (found) break;
    ++position;
  }
  details_ = details;
  if (found) record(outer == kNone ? position : outer);
  return found;
}

bool Matcher::test(const FilterNode& node, bson::ValueView value) const {
  switch (node.op) {
    case FilterOp::kEq:
      return test_equal(node, value);
    case FilterOp::kGt:
    case FilterOp::kGte:
    case FilterOp::kLt:
    case FilterOp::kLte:
      return test_order(node, value);
    case FilterOp::kIn:
      return test_in(node, value);
    case FilterOp::kExists:
      return !value.is_missing();
    case FilterOp::kType:
      return test_type(node, value.type());
    case FilterOp::kMod:
      return test_mod(node, value);
    case FilterOp::kRegex:
      return test_regex(node, value);
    case FilterOp::kSize:
      return test_size(node, value);
    case FilterOp::kBits:
      return test_bits(node, value);
    default:
      return false;
  }
}

bool Matcher::test_equal(const FilterNode& node, bson::ValueView value) const {
  const bson::ValueView operand = node.operand;
  if (operand.type() == value.type()) {
    if (is_bytewise(value.type())) return value.raw() == operand.raw();
    if (value.type() == bson::Type::kString && context_.comparator.is_simple()) {
      return value.raw() == operand.raw();
    }
    return context_.comparator.equal(value, operand);
  }
  if (operand.type() == bson::Type::kNull) return value.is_nullish();
  if (bson::canonical_class(operand.type()) != bson::canonical_class(value.type())) return false;
  return context_.comparator.equal(value, operand);
}

bool Matcher::test_order(const FilterNode& node, bson::ValueView value) const {
  const bson::ValueView operand = node.operand;
  const bool or_equal = node.op == FilterOp::kGte || node.op == FilterOp::kLte;
  const bool less = node.op == FilterOp::kLt || node.op == FilterOp::kLte;
  if (operand.type() == bson::Type::kNull && value.is_nullish()) return or_equal;
  if (!is_numeric_pair(operand.type(), value.type()) &&
      bson::canonical_class(operand.type()) != bson::canonical_class(value.type())) {
    return operand.type() == (less ? bson::Type::kMaxKey : bson::Type::kMinKey);
  }
  if (is_nan(operand) || is_nan(value)) return or_equal && is_nan(operand) && is_nan(value);
  const int order = context_.comparator.compare(value, operand);
  if (order == 0) return or_equal;
  return (order < 0) == less;
}

bool Matcher::test_in(const FilterNode& node, bson::ValueView value) const {
  if (value.is_nullish()) return node.in_has_null;
  const Comparator& comparator = context_.comparator;
  const auto at = std::lower_bound(
      node.in_values.begin(), node.in_values.end(), value,
      [&](bson::ValueView a, bson::ValueView b) { return comparator.compare(a, b) < 0; });
  if (at != node.in_values.end() && comparator.equal(*at, value)) return true;
  if (node.regexes.empty()) return false;
  if (value.type() != bson::Type::kString && value.type() != bson::Type::kSymbol) return false;
  const std::string_view text = value.get_string();
  return std::any_of(node.regexes.begin(), node.regexes.end(),
                     [&](const Regex& regex) { return regex.matches(text); });
}

bool Matcher::test_expression(const FilterNode& node, bson::View document) {
  auto value = [&]() -> Result<bson::Value> {
    if (variables_ == nullptr) return node.expression->evaluate(document, context_);
    EvalContext evaluation{context_, document, *variables_, std::nullopt};
    return node.expression->evaluate(evaluation);
  }();
  if (value) return value->view().truthy();
  if (!error_) error_ = std::move(value).error();
  return false;
}

}  // namespace restitch::query
