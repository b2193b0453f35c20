#include <deque>
#include <set>

#include "bson/extended_json.h"
#include "query/expression/element_choice.h"
#include "query/expression/numbers.h"
#include "query/expression/value_set.h"
#include "query/pipeline/group_field.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;
using Plan = std::shared_ptr<const AccumulatorPlan>;

constexpr std::size_t kPerEntry = 64;

Value null_if_missing(ValueView value) { return value.is_missing() ? Value::null() : Value(value); }

// $firstN and $lastN.
template <bool first>
class EdgesAccumulator final : public Accumulator {
 public:
  explicit EdgesAccumulator(std::int64_t n) : n_(static_cast<std::size_t>(n)) {}

  Status add(ValueView value) override {
    if (values_.size() == n_) {
      if (first) return {};
      memory_ -= values_.front().view().raw().size() + kPerEntry;
      values_.pop_front();
    }
    values_.push_back(null_if_missing(value));
    memory_ += value.raw().size() + kPerEntry;
    return {};
  }
  Value result() const override {
    bson::Builder builder;
    for (const Value& value : values_) builder.push(value);
    return Value::array(std::move(builder).finish());
  }
  std::size_t memory() const override { return memory_; }

 private:
  std::size_t n_;
  std::deque<Value> values_;
  std::size_t memory_ = 0;
};

// $minN and $maxN: null and missing are passed over.
template <int sign>
class ExtremesAccumulator final : public Accumulator {
 public:
  ExtremesAccumulator(std::int64_t n, const Comparator& comparator)
      : n_(static_cast<std::size_t>(n)), values_(Less{comparator}) {}

  Status add(ValueView value) override {
    if (value.is_nullish()) return {};
    memory_ += value.raw().size() + kPerEntry;
    values_.insert(Value(value));
    if (values_.size() > n_) {
      const auto worst = std::prev(values_.end());
      memory_ -= worst->view().raw().size() + kPerEntry;
      values_.erase(worst);
    }
    return {};
  }
  Value result() const override {
    bson::Builder builder;
    for (const Value& value : values_) builder.push(value);
    return Value::array(std::move(builder).finish());
  }
  std::size_t memory() const override { return memory_; }

 private:
  struct Less {
    Comparator comparator;
    bool operator()(const Value& a, const Value& b) const {
      return comparator.compare(a, b) * sign < 0;
    }
  };

  std::size_t n_;
  std::multiset<Value, Less> values_;
  std::size_t memory_ = 0;
};

enum class Choice : std::uint8_t { kFirst, kLast, kMin, kMax };

class CountedPlan final : public AccumulatorPlan {
 public:
  CountedPlan(Choice choice, ExpressionPtr n, ExpressionPtr input)
      : choice_(choice), n_(std::move(n)), input_(std::move(input)) {}

  Result<AccumulatorPtr> start(EvalContext& group) const override {
    RESTITCH_TRY(const Value n, n_->evaluate(group));
    RESTITCH_TRY(const std::int64_t count, element_count(n));
    const Comparator& comparator = group.command.comparator;
    switch (choice_) {
      case Choice::kFirst:
        return AccumulatorPtr(std::make_unique<EdgesAccumulator<true>>(count));
      case Choice::kLast:
        return AccumulatorPtr(std::make_unique<EdgesAccumulator<false>>(count));
      case Choice::kMin:
        return AccumulatorPtr(std::make_unique<ExtremesAccumulator<1>>(count, comparator));
      case Choice::kMax:
        break;
    }
    return AccumulatorPtr(std::make_unique<ExtremesAccumulator<-1>>(count, comparator));
  }
  Status feed(Accumulator& accumulator, EvalContext& document) const override {
    Value storage;
    RESTITCH_TRY(const ValueView value, input_->peek(document, storage));
    return accumulator.add(value);
  }

 private:
  Choice choice_;
  ExpressionPtr n_;
  ExpressionPtr input_;
};

// $top, $topN, $bottom, $bottomN: outputs ordered by a sort pattern over the documents.
class OrderedAccumulator final : public Accumulator {
 public:
  OrderedAccumulator(std::optional<std::int64_t> n, bool keeps_top)
      : n_(static_cast<std::size_t>(n.value_or(1))), is_single_(!n), keeps_top_(keeps_top) {}

  Status add(ValueView) override { return {}; }
  // Whether a value of this key would be kept.
  bool wants(const std::string& key) const {
    if (entries_.size() < n_) return true;
    return keeps_top_ ? key < std::prev(entries_.end())->first.first
                      : key >= entries_.begin()->first.first;
  }
  void put(std::string key, ValueView value) {
    memory_ += key.size() + value.raw().size() + kPerEntry;
    entries_.emplace(std::make_pair(std::move(key), sequence_++), null_if_missing(value));
    if (entries_.size() <= n_) return;
    const auto worst = keeps_top_ ? std::prev(entries_.end()) : entries_.begin();
    memory_ -= worst->first.first.size() + worst->second.view().raw().size() + kPerEntry;
    entries_.erase(worst);
  }
  Value result() const override {
    if (is_single_) return entries_.empty() ? Value::null() : entries_.begin()->second;
    bson::Builder builder;
    for (const auto& entry : entries_) builder.push(entry.second);
    return Value::array(std::move(builder).finish());
  }
  std::size_t memory() const override { return memory_; }

 private:
  std::size_t n_;
  bool is_single_;
  bool keeps_top_;
  std::map<std::pair<std::string, std::uint64_t>, Value> entries_;
  std::uint64_t sequence_ = 0;
  std::size_t memory_ = 0;
};

class OrderedPlan final : public AccumulatorPlan {
 public:
  OrderedPlan(bool keeps_top, ExpressionPtr n, SortPattern pattern, ExpressionPtr output)
      : keeps_top_(keeps_top),
        n_(std::move(n)),
        pattern_(std::move(pattern)),
        output_(std::move(output)) {}

  Result<AccumulatorPtr> start(EvalContext& group) const override {
    std::optional<std::int64_t> count;
    if (n_) {
      RESTITCH_TRY(const Value n, n_->evaluate(group));
      RESTITCH_TRY(count, element_count(n));
    }
    return AccumulatorPtr(std::make_unique<OrderedAccumulator>(count, keeps_top_));
  }
  Status feed(Accumulator& accumulator, EvalContext& document) const override {
    auto& ordered = static_cast<OrderedAccumulator&>(accumulator);
    RESTITCH_TRY(std::string key, pattern_.key_of(document.root));
    if (!ordered.wants(key)) return {};
    Value storage;
    RESTITCH_TRY(const ValueView value, output_->peek(document, storage));
    ordered.put(std::move(key), value);
    return {};
  }

 private:
  bool keeps_top_;
  ExpressionPtr n_;
  SortPattern pattern_;
  ExpressionPtr output_;
};

Result<Plan> compile_counted(const bson::Element& element, Choice choice,
                             const StageCompiler& compiler) {
  const std::string name(element.name);
  const auto spec = element.value.as_object();
  if (!spec) {
    return mongo_error(5787900, "specification must be an object; found " + name + ": " +
                                    bson::to_shell(element.value));
  }
  ExpressionPtr n;
  ExpressionPtr input;
  for (const bson::Element& argument : *spec) {
    if (argument.name != "n" && argument.name != "input") {
      return mongo_error(5787901,
                         "Unknown argument to " + name + " '" + std::string(argument.name) + "'");
    }
    ExpressionPtr& target = argument.name == "n" ? n : input;
    RESTITCH_TRY(target, compiler.expression(argument.value));
  }
  if (!n) return mongo_error(5787906, "Missing value for 'n'");
  if (!input) return mongo_error(5787907, "Missing value for 'input'");
  if (n->constant()) RESTITCH_CHECK(element_count(*n->constant()));
  return Plan(std::make_shared<CountedPlan>(choice, std::move(n), std::move(input)));
}

Result<Plan> compile_ordered(const bson::Element& element, const StageCompiler& compiler) {
  const std::string name(element.name);
  const bool has_count = name.back() == 'N';
  const auto spec = element.value.as_object();
  if (!spec) {
    return mongo_error(5788001, "specification must be an object; found " + name + ": " +
                                    bson::to_shell(element.value));
  }
  ExpressionPtr n;
  ExpressionPtr output;
  std::optional<SortPattern> pattern;
  for (const bson::Element& argument : *spec) {
    if (argument.name == "n" && has_count) {
      RESTITCH_TRY(n, compiler.expression(argument.value));
    } else if (argument.name == "output") {
      RESTITCH_TRY(output, compiler.expression(argument.value));
    } else if (argument.name == "sortBy") {
      const auto object = argument.value.as_object();
      if (!object) {
        return mongo_error(5788604,
                           "expected 'sortBy' to already be an object in the arguments to " + name);
      }
      RESTITCH_TRY(pattern, SortPattern::compile(*object, compiler.context));
    } else {
      return mongo_error(5788002,
                         "Unknown argument to " + name + " '" + std::string(argument.name) + "'");
    }
  }
  if (has_count && !n) return mongo_error(5788003, "Missing value for 'n'");
  if (!output) return mongo_error(5788004, "Missing value for 'output'");
  if (!pattern) return mongo_error(5788005, "Missing value for 'sortBy'");
  if (n && n->constant()) RESTITCH_CHECK(element_count(*n->constant()));
  const bool keeps_top = name == "$top" || name == "$topN";
  return Plan(std::make_shared<OrderedPlan>(keeps_top, std::move(n), std::move(*pattern),
                                            std::move(output)));
}

}  // namespace

Result<Plan> compile_counted_plan(const bson::Element& element, const StageCompiler& compiler) {
  const std::string_view name = element.name;
  if (name == "$firstN") return compile_counted(element, Choice::kFirst, compiler);
  if (name == "$lastN") return compile_counted(element, Choice::kLast, compiler);
  if (name == "$minN") return compile_counted(element, Choice::kMin, compiler);
  if (name == "$maxN") return compile_counted(element, Choice::kMax, compiler);
  if (name == "$top" || name == "$topN" || name == "$bottom" || name == "$bottomN") {
    return compile_ordered(element, compiler);
  }
  return Plan();
}

}  // namespace restitch::query
