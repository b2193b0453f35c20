#include "query/expression/accumulator.h"

#include <cmath>

#include "query/expression/numbers.h"
#include "query/expression/object_merge.h"
#include "query/expression/value_set.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;

class SumAccumulator final : public Accumulator {
 public:
  Status add(ValueView value) override {
    if (value.is_number()) sum_.add(value);
    return {};
  }
  Value result() const override { return sum_.value(); }

 private:
  NumberSum sum_;
};

class AverageAccumulator final : public Accumulator {
 public:
  Status add(ValueView value) override {
    if (!value.is_number()) return {};
    sum_.add(value);
    ++count_;
    return {};
  }
  Value result() const override {
    if (count_ == 0) return Value::null();
    if (sum_.is_decimal()) {
      return Value::of(bson::decimal_divide(sum_.decimal(), bson::decimal_from_int64(count_)));
    }
    return Value::of(sum_.as_double() / static_cast<double>(count_));
  }

 private:
  NumberSum sum_;
  std::int64_t count_ = 0;
};

template <int sign>
class ExtremeAccumulator final : public Accumulator {
 public:
  explicit ExtremeAccumulator(const Comparator& comparator) : comparator_(comparator) {}

  Status add(ValueView value) override {
    if (value.is_nullish()) return {};
    if (best_.is_missing() || comparator_.compare(value, best_) * sign < 0) best_ = Value(value);
    return {};
  }
  Value result() const override { return best_.is_missing() ? Value::null() : best_; }
  std::size_t memory() const override { return best_.view().raw().size(); }

 private:
  Comparator comparator_;
  Value best_;
};

template <bool first>
class EdgeAccumulator final : public Accumulator {
 public:
  Status add(ValueView value) override {
    if (first && has_value_) return {};
    value_ = Value(value);
    has_value_ = true;
    return {};
  }
  Value result() const override { return value_.is_missing() ? Value::null() : value_; }
  std::size_t memory() const override { return value_.view().raw().size(); }

 private:
  Value value_;
  bool has_value_ = false;
};

class PushAccumulator final : public Accumulator {
 public:
  Status add(ValueView value) override {
    if (!value.is_missing()) builder_.push(value);
    return {};
  }
  Value result() const override {
    bson::Builder copy = builder_;
    return Value::array(std::move(copy).finish());
  }
  std::size_t memory() const override { return builder_.size(); }

 private:
  bson::Builder builder_;
};

class SetAccumulator final : public Accumulator {
 public:
  explicit SetAccumulator(const Comparator& comparator)
      : comparator_(comparator), seen_(make_value_container<OwnedValueSet>(comparator_)) {}

  Status add(ValueView value) override {
    if (value.is_missing() || seen_.find(value) != seen_.end()) return {};
    order_.push_back(&*seen_.insert(Value(value)).first);
    constexpr std::size_t kPerEntry = 80;
    memory_ += value.raw().size() + kPerEntry;
    return {};
  }
  Value result() const override {
    bson::Builder builder;
    for (const Value* value : order_) builder.push(*value);
    return Value::array(std::move(builder).finish());
  }
  std::size_t memory() const override { return memory_; }

 private:
  Comparator comparator_;
  OwnedValueSet seen_;
  std::vector<const Value*> order_;  // nodes of `seen_`, as first met
  std::size_t memory_ = 0;
};

class MergeAccumulator final : public Accumulator {
 public:
  Status add(ValueView value) override { return merged_.add(value); }
  Value result() const override { return Value::of(merged_.finish()); }
  std::size_t memory() const override { return merged_.memory(); }

 private:
  ObjectMerge merged_;
};

// Welford's running mean and sum of squared deviations.
template <bool sample>
class DeviationAccumulator final : public Accumulator {
 public:
  Status add(ValueView value) override {
    if (!value.is_number()) return {};
    const double number = *value.as_double();
    ++count_;
    const double delta = number - mean_;
    mean_ += delta / static_cast<double>(count_);
    squares_ += delta * (number - mean_);
    return {};
  }
  Value result() const override {
    const std::int64_t divisor = sample ? count_ - 1 : count_;
    if (divisor <= 0) return Value::null();
    return Value::of(std::sqrt(squares_ / static_cast<double>(divisor)));
  }

 private:
  std::int64_t count_ = 0;
  double mean_ = 0;
  double squares_ = 0;
};

template <typename T>
AccumulatorPtr plain(const CommandContext&) {
  return std::make_unique<T>();
}
template <typename T>
AccumulatorPtr comparing(const CommandContext& context) {
  return std::make_unique<T>(context.comparator);
}

struct AccumulatorRow {
  std::string_view name;
  AccumulatorFactory factory;
};
constexpr AccumulatorRow kAccumulators[] = {
    {"$sum", plain<SumAccumulator>},
    {"$avg", plain<AverageAccumulator>},
    {"$min", comparing<ExtremeAccumulator<1>>},
    {"$max", comparing<ExtremeAccumulator<-1>>},
    {"$first", plain<EdgeAccumulator<true>>},
    {"$last", plain<EdgeAccumulator<false>>},
    {"$push", plain<PushAccumulator>},
    {"$addToSet", comparing<SetAccumulator>},
    {"$mergeObjects", plain<MergeAccumulator>},
    {"$stdDevPop", plain<DeviationAccumulator<false>>},
    {"$stdDevSamp", plain<DeviationAccumulator<true>>},
};

}  // namespace

AccumulatorFactory find_accumulator(std::string_view name) {
  for (const AccumulatorRow& row : kAccumulators) {
    if (row.name == name) return row.factory;
  }
  return nullptr;
}

}  // namespace restitch::query
