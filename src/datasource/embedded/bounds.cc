#include "datasource/embedded/bounds.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "bson/compare.h"
#include "bson/extended_json.h"
#include "bson/key_encoding.h"
#include "datasource/embedded/index_keys.h"

namespace restitch::datasource::embedded {

namespace {

using bson::Document;
using bson::Type;
using bson::Value;
using bson::ValueView;
using query::FilterNode;
using query::FilterOp;

bool has_strings(ValueView value) {
  return value.type() == Type::kString || value.type() == Type::kSymbol ||
         value.type() == Type::kObject || value.type() == Type::kArray;
}

std::string encoded(ValueView value) {
  std::string bytes;
  bson::append_key(bytes, value);
  return bytes;
}

std::string encoded(ValueView value, const query::Collation* collation) {
  if (collation == nullptr || !has_strings(value)) return encoded(value);
  return encoded(query::collated(value, *collation));
}

// Orders lower ends: smaller first; inclusive before exclusive.
int compare_low(const Interval& a, const Interval& b) {
  if (const int order = a.low_bytes.compare(b.low_bytes); order != 0) return order;
  return static_cast<int>(b.low_inclusive) - static_cast<int>(a.low_inclusive);
}

int compare_high(const Interval& a, const Interval& b) {
  if (const int order = a.high_bytes.compare(b.high_bytes); order != 0) return order;
  return static_cast<int>(a.high_inclusive) - static_cast<int>(b.high_inclusive);
}

bool is_void(const Interval& interval) {
  const int order = interval.low_bytes.compare(interval.high_bytes);
  return order > 0 || (order == 0 && !(interval.low_inclusive && interval.high_inclusive));
}

// Whether `next`, which starts not before `interval`, overlaps or touches it.
bool joins(const Interval& interval, const Interval& next) {
  const int order = next.low_bytes.compare(interval.high_bytes);
  return order < 0 || (order == 0 && (next.low_inclusive || interval.high_inclusive));
}

void take_low(Interval& to, const Interval& from) {
  to.low = from.low;
  to.low_bytes = from.low_bytes;
  to.low_inclusive = from.low_inclusive;
}

void take_high(Interval& to, const Interval& from) {
  to.high = from.high;
  to.high_bytes = from.high_bytes;
  to.high_inclusive = from.high_inclusive;
}

Interval make_interval(Value low, bool low_inclusive, Value high, bool high_inclusive,
                       const query::Collation* collation) {
  Interval interval;
  interval.low_bytes = encoded(low, collation);
  interval.high_bytes = encoded(high, collation);
  interval.low = std::move(low);
  interval.high = std::move(high);
  interval.low_inclusive = low_inclusive;
  interval.high_inclusive = high_inclusive;
  return interval;
}

// Smallest and (exclusive or inclusive) largest value of a type's class.
struct ClassRange {
  Value low, high;
  bool high_inclusive = true;
};

std::optional<ClassRange> class_of(Type type) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  switch (type) {
    case Type::kMinKey:
      return ClassRange{Value::min_key(), Value::min_key()};
    case Type::kMaxKey:
      return ClassRange{Value::max_key(), Value::max_key()};
    case Type::kUndefined:
      return ClassRange{Value::undefined(), Value::undefined()};
    case Type::kNull:
      return ClassRange{Value::null(), Value::null()};
    case Type::kInt32:
    case Type::kInt64:
    case Type::kDouble:
    case Type::kDecimal128:
      return ClassRange{Value::of(std::numeric_limits<double>::quiet_NaN()), Value::of(kInfinity)};
    case Type::kString:
    case Type::kSymbol:
      return ClassRange{Value::of(""), Value::of(Document()), false};
    case Type::kObject:
      return ClassRange{Value::of(Document()), Value::array(Document()), false};
    case Type::kArray:
      return ClassRange{Value::array(Document()), Value::binary(0, ""), false};
    case Type::kBinary:
      return ClassRange{Value::binary(0, ""), Value::of(bson::ObjectId{}), false};
    case Type::kObjectId: {
      bson::ObjectId last;
      last.bytes.fill(0xFF);
      return ClassRange{Value::of(bson::ObjectId{}), Value::of(last)};
    }
    case Type::kBool:
      return ClassRange{Value::of(false), Value::of(true)};
    case Type::kDate:
      return ClassRange{Value::of(bson::Date{std::numeric_limits<std::int64_t>::min()}),
                        Value::of(bson::Date{std::numeric_limits<std::int64_t>::max()})};
    case Type::kTimestamp:
      return ClassRange{Value::of(bson::Timestamp{0, 0}),
                        Value::of(bson::Timestamp{UINT32_MAX, UINT32_MAX})};
    default:
      return std::nullopt;
  }
}

Intervals class_intervals(const ClassRange& range) {
  return {make_interval(range.low, true, range.high, range.high_inclusive, nullptr)};
}

class BoundsMaker {
 public:
  explicit BoundsMaker(const BoundsContext& context) : context_(context) {}

  std::optional<PredicateBounds> positive(const FilterNode& node) const {
    switch (node.op) {
      case FilterOp::kEq:
        return equality(node.operand);
      case FilterOp::kGt:
      case FilterOp::kGte:
      case FilterOp::kLt:
      case FilterOp::kLte:
        return range(node.op, node.operand);
      case FilterOp::kIn:
        return in(node);
      case FilterOp::kExists:
        if (context_.is_hashed) return std::nullopt;
        return PredicateBounds{everything(), false};
      case FilterOp::kRegex:
        return regex(node);
      case FilterOp::kType:
        return types(node);
      default:
        return std::nullopt;
    }
  }

  std::optional<PredicateBounds> negative(const FilterNode& node) const {
    if (context_.is_hashed) return std::nullopt;
    if (node.op == FilterOp::kExists) {
      return PredicateBounds{point(Value::null(), nullptr), false};
    }
    // The complement serves when every key inside the positive intervals proves a match.
    if (node.op == FilterOp::kEq && node.operand.view().is_nullish()) {
      if (context_.is_multikey) return std::nullopt;
      return PredicateBounds{complement(point(Value::null(), nullptr)), false};
    }
    const auto bounds = positive(node);
    if (!bounds || !bounds->is_exact) return std::nullopt;
    return PredicateBounds{complement(bounds->intervals), false};
  }

  // Missing is stored as null, so null stands for itself and for what is below it.
  std::optional<PredicateBounds> comparison(const FilterNode& node) const {
    const ValueView operand = node.operand;
    if (context_.is_multikey) return std::nullopt;
    if (node.op == FilterOp::kEq && operand.type() != Type::kArray) {
      if (operand.type() == Type::kRegex) return std::nullopt;
      auto bounds = equality(operand);
      if (bounds) bounds->is_exact = false;
      return bounds;
    }
    if (context_.is_hashed || operand.is_nullish() || operand.type() == Type::kArray) {
      return std::nullopt;
    }
    if (has_strings(operand) && !collations_agree()) return std::nullopt;
    const bool is_lower = node.op == FilterOp::kGt || node.op == FilterOp::kGte;
    const bool is_inclusive = node.op == FilterOp::kGte || node.op == FilterOp::kLte;
    if (operand.type() == Type::kMinKey || operand.type() == Type::kMaxKey) return std::nullopt;
    Interval interval = is_lower ? make_interval(Value(operand), is_inclusive, Value::max_key(),
                                                 true, context_.index_collation)
                                 : make_interval(Value::min_key(), true, Value(operand),
                                                 is_inclusive, context_.index_collation);
    return PredicateBounds{{std::move(interval)}, false};
  }

 private:
  bool collations_agree() const {
    if (context_.index_collation == context_.query_collation) return true;
    if (context_.index_collation == nullptr || context_.query_collation == nullptr) return false;
    return context_.index_collation->spec() == context_.query_collation->spec();
  }

  std::optional<PredicateBounds> equality(ValueView operand) const {
    if (has_strings(operand) && !collations_agree()) return std::nullopt;
    if (context_.is_hashed) return hashed_equality(operand);
    if (operand.is_nullish()) {
      return PredicateBounds{
          {make_interval(Value::undefined(), true, Value::null(), true, nullptr)}, false};
    }
    if (operand.type() == Type::kRegex) return std::nullopt;
    if (operand.type() == Type::kArray) return array_equality(operand);
    return PredicateBounds{point(operand, context_.index_collation), true};
  }

  std::optional<PredicateBounds> hashed_equality(ValueView operand) const {
    if (operand.type() == Type::kArray || operand.type() == Type::kRegex) return std::nullopt;
    Value replaced(operand);
    if (context_.index_collation != nullptr && has_strings(operand)) {
      replaced = query::collated(operand, *context_.index_collation);
    }
    if (operand.is_nullish()) {
      // Missing is stored as null; undefined matches too.
      return PredicateBounds{united(point(Value::of(hashed_value(Value::null())), nullptr),
                                    point(Value::of(hashed_value(Value::undefined())), nullptr)),
                             false};
    }
    return PredicateBounds{point(Value::of(hashed_value(replaced)), nullptr), false};
  }

  // A document matches by its whole array or by one nested array: it has a key for the first
  // element, or the array.
  std::optional<PredicateBounds> array_equality(ValueView operand) const {
    const bson::View array = operand.get_document();
    Intervals intervals = point(operand, context_.index_collation);
    const Value first = array.empty() ? Value::undefined() : Value(array.begin()->value);
    intervals = united(std::move(intervals), point(first, context_.index_collation));
    return PredicateBounds{std::move(intervals), false};
  }

  std::optional<PredicateBounds> range(FilterOp op, ValueView operand) const {
    if (context_.is_hashed) return std::nullopt;
    if (has_strings(operand) && !collations_agree()) return std::nullopt;
    const bool is_lower = op == FilterOp::kGt || op == FilterOp::kGte;
    const bool is_inclusive = op == FilterOp::kGte || op == FilterOp::kLte;
    if (operand.is_nullish()) {
      if (is_inclusive) return equality(operand);
      return PredicateBounds{{}, true};
    }
    if (operand.type() == Type::kMinKey || operand.type() == Type::kMaxKey ||
        operand.type() == Type::kArray) {
      return PredicateBounds{everything(), false};
    }
    const auto bracket = class_of(operand.type());
    if (!bracket) return std::nullopt;
    if (is_nan(operand)) {
      if (is_inclusive) return PredicateBounds{point(operand, nullptr), true};
      return PredicateBounds{{}, true};
    }
    Interval interval = is_lower
                            ? make_interval(Value(operand), is_inclusive, bracket->high,
                                            bracket->high_inclusive, context_.index_collation)
                            : make_interval(lowest(operand.type(), *bracket), true, Value(operand),
                                            is_inclusive, context_.index_collation);
    Intervals intervals;
    if (!is_void(interval)) intervals.push_back(std::move(interval));
    return PredicateBounds{std::move(intervals), true};
  }

  static bool is_nan(ValueView value) {
    return value.is_number() && std::isnan(value.as_double().value_or(0));
  }

  // NaN is below the numbers that ranges select.
  static Value lowest(Type type, const ClassRange& bracket) {
    if (!bson::is_number(type)) return bracket.low;
    return Value::of(-std::numeric_limits<double>::infinity());
  }

  std::optional<PredicateBounds> in(const FilterNode& node) const {
    PredicateBounds all{{}, true};
    Intervals collected;
    for (const bson::Element& element : node.operand.view().get_document()) {
      std::optional<PredicateBounds> one;
      if (element.value.type() == Type::kRegex) {
        if (context_.is_hashed) return std::nullopt;
        const bson::RegexView pattern = element.value.get_regex();
        one = pattern_bounds(pattern.pattern, pattern.options);
      } else {
        one = equality(element.value);
      }
      if (!one) return std::nullopt;
      all.is_exact = all.is_exact && one->is_exact;
      for (Interval& interval : one->intervals) collected.push_back(std::move(interval));
    }
    all.intervals = united(std::move(collected), {});
    return all;
  }

  std::optional<PredicateBounds> regex(const FilterNode& node) const {
    if (context_.is_hashed) return std::nullopt;
    if (node.operand.type() == Type::kRegex) {
      const bson::RegexView pattern = node.operand.view().get_regex();
      return pattern_bounds(pattern.pattern, pattern.options);
    }
    return PredicateBounds{everything(), false};
  }

  std::optional<PredicateBounds> pattern_bounds(std::string_view pattern,
                                                std::string_view options) const {
    if (context_.index_collation != nullptr) return PredicateBounds{everything(), false};
    bool is_exact = false;
    const std::string prefix = query::Regex::literal_prefix(pattern, options, &is_exact);
    Intervals intervals;
    if (prefix.empty()) {
      intervals = class_intervals(*class_of(Type::kString));
    } else {
      std::string next = prefix;
      while (!next.empty() && static_cast<unsigned char>(next.back()) == 0xFF) next.pop_back();
      Value end = Value::of(Document());
      if (!next.empty()) {
        next.back() = static_cast<char>(next.back() + 1);
        end = Value::of(next);
      }
      intervals = {make_interval(Value::of(prefix), true, std::move(end), false, nullptr)};
    }
    // A stored regular expression equal to the pattern matches too.
    intervals = united(std::move(intervals), point(Value::regex(pattern, options), nullptr));
    return PredicateBounds{std::move(intervals), false};
  }

  std::optional<PredicateBounds> types(const FilterNode& node) const {
    if (context_.is_hashed) return std::nullopt;
    Intervals intervals;
    std::vector<Type> wanted = node.types;
    if (node.any_number) wanted.push_back(Type::kDouble);
    for (const Type type : wanted) {
      const auto range = class_of(type);
      if (!range || type == Type::kArray || context_.index_collation != nullptr) {
        return PredicateBounds{everything(), false};
      }
      intervals = united(std::move(intervals), class_intervals(*range));
    }
    return PredicateBounds{std::move(intervals), false};
  }

  const BoundsContext& context_;
};

}  // namespace

bool Interval::is_everything() const {
  return low.type() == Type::kMinKey && high.type() == Type::kMaxKey && low_inclusive &&
         high_inclusive;
}

Intervals everything() {
  static const Interval interval =
      make_interval(Value::min_key(), true, Value::max_key(), true, nullptr);
  return {interval};
}

Intervals point(ValueView value, const query::Collation* collation) {
  Interval interval;
  interval.low = Value(value);
  interval.high = interval.low;
  interval.low_bytes = encoded(value, collation);
  interval.high_bytes = interval.low_bytes;
  return {std::move(interval)};
}

Intervals intersection(const Intervals& a, const Intervals& b) {
  Intervals result;
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    Interval both = a[i];
    if (compare_low(a[i], b[j]) < 0) take_low(both, b[j]);
    const bool a_ends_first = compare_high(a[i], b[j]) <= 0;
    if (!a_ends_first) take_high(both, b[j]);
    if (!is_void(both)) result.push_back(std::move(both));
    ++(a_ends_first ? i : j);
  }
  return result;
}

Intervals united(Intervals a, const Intervals& b) {
  a.insert(a.end(), b.begin(), b.end());
  std::sort(a.begin(), a.end(),
            [](const Interval& x, const Interval& y) { return compare_low(x, y) < 0; });
  Intervals result;
  for (Interval& interval : a) {
    if (!result.empty() && joins(result.back(), interval)) {
      if (compare_high(result.back(), interval) < 0) take_high(result.back(), interval);
    } else {
      result.push_back(std::move(interval));
    }
  }
  return result;
}

Intervals complement(const Intervals& intervals) {
  Intervals result;
  Interval gap = everything().front();
  for (const Interval& interval : intervals) {
    Interval before = gap;
    before.high = interval.low;
    before.high_bytes = interval.low_bytes;
    before.high_inclusive = !interval.low_inclusive;
    if (!is_void(before)) result.push_back(std::move(before));
    gap.low = interval.high;
    gap.low_bytes = interval.high_bytes;
    gap.low_inclusive = !interval.high_inclusive;
  }
  if (!is_void(gap)) result.push_back(std::move(gap));
  return result;
}

bool is_everything(const Intervals& intervals) {
  return intervals.size() == 1 && intervals.front().is_everything();
}

bool all_points(const Intervals& intervals) {
  return std::all_of(intervals.begin(), intervals.end(),
                     [](const Interval& interval) { return interval.is_point(); });
}

std::optional<PredicateBounds> bounds_of(const FilterNode& node, bool is_negated,
                                         const BoundsContext& context) {
  const BoundsMaker maker(context);
  return is_negated ? maker.negative(node) : maker.positive(node);
}

std::optional<PredicateBounds> comparison_bounds(const FilterNode& node,
                                                 const BoundsContext& context) {
  return BoundsMaker(context).comparison(node);
}

std::string to_text(const Interval& interval, bool descending) {
  const auto side = [](const Value& value) {
    if (value.type() == Type::kMinKey) return std::string("MinKey");
    if (value.type() == Type::kMaxKey) return std::string("MaxKey");
    if (value.type() == Type::kDouble && std::isinf(value.view().get_double())) {
      return std::string(value.view().get_double() > 0 ? "inf.0" : "-inf.0");
    }
    return bson::to_shell(value.view());
  };
  const bool first_inclusive = descending ? interval.high_inclusive : interval.low_inclusive;
  const bool last_inclusive = descending ? interval.low_inclusive : interval.high_inclusive;
  return (first_inclusive ? "[" : "(") + side(descending ? interval.high : interval.low) + ", " +
         side(descending ? interval.low : interval.high) + (last_inclusive ? "]" : ")");
}

}  // namespace restitch::datasource::embedded
