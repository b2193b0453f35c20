#include <algorithm>
#include <cmath>

#include "bson/extended_json.h"
#include "query/expression/numbers.h"
#include "query/pipeline/window.h"

namespace restitch::query {
namespace {

using bson::Type;
using bson::Value;
using bson::ValueView;
using Entries = std::span<const WindowEntry>;

// Numbers that an expression has in every document; nothing where it has none.
using Numbers = std::vector<std::optional<double>>;

Result<Numbers> numbers_of(const Expression& expression, Entries entries, RunContext& run) {
  Numbers out;
  out.reserve(entries.size());
  for (const WindowEntry& entry : entries) {
    RESTITCH_CHECK(check_interruption(run.command));
    EvalContext context = run.evaluation(entry.document);
    Value storage;
    RESTITCH_TRY(const ValueView value, expression.peek(context, storage));
    out.push_back(value.as_double());
  }
  return out;
}

std::size_t size_of(const Numbers& numbers) {
  return numbers.size() * sizeof(std::optional<double>);
}

enum class Ranking : std::uint8_t { kRank, kDenseRank, kDocumentNumber };

class RankValues final : public WindowValues {
 public:
  RankValues(Ranking ranking, Entries entries) : entries_(entries), ranking_(ranking) {}
  Result<Value> next() override {
    const bool is_new = at_ == 0 || entries_[at_].sort_key != entries_[at_ - 1].sort_key;
    ++at_;
    if (ranking_ == Ranking::kDocumentNumber || (ranking_ == Ranking::kRank && is_new)) {
      rank_ = static_cast<std::int64_t>(at_);
    } else if (ranking_ == Ranking::kDenseRank && is_new) {
      ++rank_;
    }
    return make_integer(rank_, true);
  }

 private:
  Entries entries_;
  Ranking ranking_;
  std::size_t at_ = 0;
  std::int64_t rank_ = 0;
};

class RankFunction final : public WindowFunction {
 public:
  explicit RankFunction(Ranking ranking) : ranking_(ranking) {}
  Result<WindowValuesPtr> start(Entries entries, RunContext&) const override {
    return WindowValuesPtr(std::make_unique<RankValues>(ranking_, entries));
  }

 private:
  Ranking ranking_;
};

struct Shift {
  ExpressionPtr output;
  std::int64_t by;
  Value otherwise;
};

class ShiftValues final : public WindowValues {
 public:
  ShiftValues(const Shift& shift, Entries entries, RunContext& run)
      : shift_(shift), entries_(entries), run_(run) {}
  Result<Value> next() override {
    const auto count = static_cast<std::int64_t>(entries_.size());
    const bool is_far = shift_.by > count || shift_.by < -count;
    const std::int64_t from = is_far ? -1 : at_ + shift_.by;
    ++at_;
    Value value = shift_.otherwise;
    if (from >= 0 && from < count) {
      EvalContext context = run_.evaluation(entries_[static_cast<std::size_t>(from)].document);
      RESTITCH_TRY(value, shift_.output->evaluate(context));
    }
    return value.is_missing() ? Value::null() : value;
  }

 private:
  const Shift& shift_;
  Entries entries_;
  RunContext& run_;
  std::int64_t at_ = 0;
};

class ShiftFunction final : public WindowFunction {
 public:
  explicit ShiftFunction(Shift shift) : shift_(std::move(shift)) {}
  Result<WindowValuesPtr> start(Entries entries, RunContext& run) const override {
    return WindowValuesPtr(std::make_unique<ShiftValues>(shift_, entries, run));
  }

 private:
  Shift shift_;
};

// The last value that is neither null nor missing.
class CarriedValues final : public WindowValues {
 public:
  CarriedValues(const Expression& input, Entries entries, RunContext& run)
      : input_(input), entries_(entries), run_(run) {}
  Result<Value> next() override {
    EvalContext context = run_.evaluation(entries_[at_++].document);
    RESTITCH_TRY(Value value, input_.evaluate(context));
    if (!value.view().is_nullish()) last_ = std::move(value);
    return last_;
  }
  std::size_t memory() const override { return last_.view().raw().size(); }

 private:
  const Expression& input_;
  Entries entries_;
  RunContext& run_;
  Value last_ = Value::null();
  std::size_t at_ = 0;
};

class CarryFunction final : public WindowFunction {
 public:
  explicit CarryFunction(ExpressionPtr input) : input_(std::move(input)) {}
  Result<WindowValuesPtr> start(Entries entries, RunContext& run) const override {
    return WindowValuesPtr(std::make_unique<CarriedValues>(*input_, entries, run));
  }

 private:
  ExpressionPtr input_;
};

// Values between two known ones lie on a line.
class LinearValues final : public WindowValues {
 public:
  LinearValues(const Expression& input, const WindowOrder& order, Entries entries, RunContext& run)
      : input_(input), order_(order), entries_(entries), run_(run) {}
  Result<Value> next() override {
    if (!after_ || *after_ < at_) RESTITCH_CHECK(find_after());
    const std::size_t at = at_++;
    if (after_ == at) {
      before_ = at;
      before_value_ = after_value_;
      return after_value_;
    }
    if (!before_ || !after_) return Value::null();
    RESTITCH_TRY(const auto x0, sort_position(entries_[*before_], order_));
    RESTITCH_TRY(const auto x1, sort_position(entries_[*after_], order_));
    RESTITCH_TRY(const auto x, sort_position(entries_[at], order_));
    if (!x0 || !x1 || !x || *x1 == *x0) return Value::null();
    const double y0 = *before_value_.view().as_double();
    const double y1 = *after_value_.view().as_double();
    return Value::of(y0 + (y1 - y0) * (*x - *x0) / (*x1 - *x0));
  }

 private:
  // The next document at or behind `at_` that has a value.
  Status find_after() {
    if (is_exhausted_) return {};
    for (std::size_t i = at_; i < entries_.size(); ++i) {
      RESTITCH_CHECK(check_interruption(run_.command));
      EvalContext context = run_.evaluation(entries_[i].document);
      RESTITCH_TRY(Value value, input_.evaluate(context));
      if (value.view().is_nullish()) continue;
      if (!value.view().is_number()) {
        return mongo_error(605001, "Value to be filled must be numeric or nullish");
      }
      after_ = i;
      after_value_ = std::move(value);
      return {};
    }
    after_.reset();
    is_exhausted_ = true;
    return {};
  }

  const Expression& input_;
  const WindowOrder& order_;
  Entries entries_;
  RunContext& run_;
  std::optional<std::size_t> before_;
  std::optional<std::size_t> after_;
  Value before_value_;
  Value after_value_;
  std::size_t at_ = 0;
  bool is_exhausted_ = false;
};

class LinearFunction final : public WindowFunction {
 public:
  LinearFunction(ExpressionPtr input, WindowOrder order)
      : input_(std::move(input)), order_(std::move(order)) {}
  Result<WindowValuesPtr> start(Entries entries, RunContext& run) const override {
    return WindowValuesPtr(std::make_unique<LinearValues>(*input_, order_, entries, run));
  }

 private:
  ExpressionPtr input_;
  WindowOrder order_;
};

class MovingAverageValues final : public WindowValues {
 public:
  MovingAverageValues(const Expression& input, double alpha, Entries entries, RunContext& run)
      : input_(input), entries_(entries), run_(run), alpha_(alpha) {}
  Result<Value> next() override {
    EvalContext context = run_.evaluation(entries_[at_++].document);
    Value storage;
    RESTITCH_TRY(const ValueView value, input_.peek(context, storage));
    const auto number = value.as_double();
    if (number) average_ = average_ ? alpha_ * *number + (1 - alpha_) * *average_ : *number;
    return average_ ? Value::of(*average_) : Value::null();
  }

 private:
  const Expression& input_;
  Entries entries_;
  RunContext& run_;
  double alpha_;
  std::optional<double> average_;
  std::size_t at_ = 0;
};

class MovingAverageFunction final : public WindowFunction {
 public:
  MovingAverageFunction(ExpressionPtr input, double alpha)
      : input_(std::move(input)), alpha_(alpha) {}
  Result<WindowValuesPtr> start(Entries entries, RunContext& run) const override {
    return WindowValuesPtr(std::make_unique<MovingAverageValues>(*input_, alpha_, entries, run));
  }

 private:
  ExpressionPtr input_;
  double alpha_;
};

// What a formula over two rows of numbers gives in every document's window.
class FormulaValues final : public WindowValues {
 public:
  using Formula = Value (*)(const Numbers& xs, const Numbers& ys, WindowRange range);

  FormulaValues(Formula formula, Numbers xs, Numbers ys, std::vector<WindowRange> ranges,
                const CommandContext& context)
      : formula_(formula),
        xs_(std::move(xs)),
        ys_(std::move(ys)),
        ranges_(std::move(ranges)),
        context_(context) {}
  Result<Value> next() override {
    RESTITCH_CHECK(check_interruption(context_));
    return formula_(xs_, ys_, ranges_[at_++]);
  }
  std::size_t memory() const override {
    return size_of(xs_) + size_of(ys_) + ranges_.size() * sizeof(WindowRange);
  }

 private:
  Formula formula_;
  Numbers xs_;
  Numbers ys_;
  std::vector<WindowRange> ranges_;
  const CommandContext& context_;
  std::size_t at_ = 0;
};

template <bool sample>
Value covariance(const Numbers& xs, const Numbers& ys, WindowRange range) {
  double mean_x = 0;
  double mean_y = 0;
  double sum = 0;
  double count = 0;
  for (std::size_t i = range.begin; i < range.end; ++i) {
    if (!xs[i] || !ys[i]) continue;
    ++count;
    const double delta = *xs[i] - mean_x;
    mean_x += delta / count;
    mean_y += (*ys[i] - mean_y) / count;
    sum += delta * (*ys[i] - mean_y);
  }
  const double divisor = sample ? count - 1 : count;
  return divisor > 0 ? Value::of(sum / divisor) : Value::null();
}

class CovarianceFunction final : public WindowFunction {
 public:
  CovarianceFunction(ExpressionPtr x, ExpressionPtr y, WindowBounds bounds, WindowOrder order,
                     bool sample)
      : x_(std::move(x)),
        y_(std::move(y)),
        bounds_(bounds),
        order_(std::move(order)),
        formula_(sample ? covariance<true> : covariance<false>) {}
  Result<WindowValuesPtr> start(Entries entries, RunContext& run) const override {
    RESTITCH_TRY(Numbers xs, numbers_of(*x_, entries, run));
    RESTITCH_TRY(Numbers ys, numbers_of(*y_, entries, run));
    RESTITCH_TRY(auto ranges, bounds_.ranges(entries, order_));
    return WindowValuesPtr(std::make_unique<FormulaValues>(formula_, std::move(xs), std::move(ys),
                                                           std::move(ranges), run.command));
  }

 private:
  ExpressionPtr x_;
  ExpressionPtr y_;
  WindowBounds bounds_;
  WindowOrder order_;
  FormulaValues::Formula formula_;
};

Value derivative(const Numbers& xs, const Numbers& ys, WindowRange range) {
  if (range.end - range.begin < 2) return Value::null();
  const auto& [x0, x1] = std::pair(xs[range.begin], xs[range.end - 1]);
  const auto& [y0, y1] = std::pair(ys[range.begin], ys[range.end - 1]);
  if (!x0 || !x1 || !y0 || !y1 || *x1 == *x0) return Value::null();
  return Value::of((*y1 - *y0) / (*x1 - *x0));
}

Value integral(const Numbers& xs, const Numbers& ys, WindowRange range) {
  if (range.begin == range.end) return Value::null();
  double sum = 0;
  for (std::size_t i = range.begin + 1; i < range.end; ++i) {
    if (!xs[i - 1] || !xs[i] || !ys[i - 1] || !ys[i]) return Value::null();
    sum += (*ys[i - 1] + *ys[i]) / 2 * (*xs[i] - *xs[i - 1]);
  }
  return Value::of(sum);
}

// $derivative and $integral over the sort axis, dates in units of `scale` milliseconds.
class CalculusFunction final : public WindowFunction {
 public:
  CalculusFunction(ExpressionPtr input, double scale, WindowBounds bounds, WindowOrder order,
                   bool is_integral)
      : input_(std::move(input)),
        scale_(scale),
        bounds_(bounds),
        order_(std::move(order)),
        formula_(is_integral ? integral : derivative) {}
  Result<WindowValuesPtr> start(Entries entries, RunContext& run) const override {
    RESTITCH_TRY(Numbers ys, numbers_of(*input_, entries, run));
    RESTITCH_TRY(auto ranges, bounds_.ranges(entries, order_));
    Numbers xs;
    xs.reserve(entries.size());
    for (const WindowEntry& entry : entries) {
      RESTITCH_TRY(const auto position, sort_position(entry, order_));
      xs.push_back(position ? std::optional(*position / scale_) : std::nullopt);
    }
    return WindowValuesPtr(std::make_unique<FormulaValues>(formula_, std::move(xs), std::move(ys),
                                                           std::move(ranges), run.command));
  }

 private:
  ExpressionPtr input_;
  double scale_;
  WindowBounds bounds_;
  WindowOrder order_;
  FormulaValues::Formula formula_;
};

Error needs_sort(std::string_view name) {
  return mongo_error(5371602, std::string(name) +
                                  " must be specified with a top level sortBy expression "
                                  "with exactly one element");
}

Result<WindowFunctionPtr> compile_shift(bson::View spec, const StageCompiler& compiler) {
  ExpressionPtr output;
  std::optional<std::int64_t> by;
  Value otherwise;
  for (const bson::Element& argument : spec) {
    if (argument.name == "output") {
      RESTITCH_TRY(output, compiler.expression(argument.value));
    } else if (argument.name == "by") {
      by = argument.value.as_integer();
      if (!by)
        return mongo_error(9, "'$shift:by' field must be an integer, but found by: " +
                                  bson::to_shell(argument.value));
    } else if (argument.name == "default") {
      RESTITCH_TRY(const ExpressionPtr compiled, compiler.expression(argument.value));
      if (!compiled->constant()) {
        return mongo_error(9, "'$shift:default' expression must yield a constant value.");
      }
      otherwise = Value(*compiled->constant());
    } else {
      return mongo_error(9, "Unknown argument in $shift");
    }
  }
  if (!output) return mongo_error(9, "$shift requires an 'output' expression.");
  if (!by) return mongo_error(9, "$shift requires 'by' as an integer value.");
  return WindowFunctionPtr(
      std::make_shared<ShiftFunction>(Shift{std::move(output), *by, std::move(otherwise)}));
}

Result<WindowFunctionPtr> compile_moving_average(bson::View spec, const StageCompiler& compiler) {
  ExpressionPtr input;
  std::optional<double> alpha;
  for (const bson::Element& argument : spec) {
    if (argument.name == "input") {
      RESTITCH_TRY(input, compiler.expression(argument.value));
    } else if (argument.name == "N" && !alpha) {
      const auto n = argument.value.as_integer();
      if (!n || *n <= 0) return mongo_error(9, "'N' field must be an integer greater than zero");
      alpha = 2.0 / (static_cast<double>(*n) + 1);
    } else if (argument.name == "alpha" && !alpha) {
      alpha = argument.value.as_double();
      if (!alpha || !(*alpha > 0 && *alpha < 1)) {
        return mongo_error(9, "'alpha' must be between 0 and 1 (exclusive)");
      }
    } else {
      return mongo_error(9, "$expMovingAvg must have exactly an 'input' and either 'N' or 'alpha'");
    }
  }
  if (!input || !alpha) {
    return mongo_error(9, "$expMovingAvg must have exactly an 'input' and either 'N' or 'alpha'");
  }
  return WindowFunctionPtr(std::make_shared<MovingAverageFunction>(std::move(input), *alpha));
}

std::optional<double> calculus_scale(ValueView unit) {
  if (unit.is_missing()) return 1.0;
  constexpr std::pair<std::string_view, std::int64_t> kUnits[] = {
      {"week", 7 * kMillisPerDay},  {"day", kMillisPerDay},       {"hour", kMillisPerHour},
      {"minute", kMillisPerMinute}, {"second", kMillisPerSecond}, {"millisecond", 1}};
  for (const auto& [name, millis] : kUnits) {
    if (unit.as_string() == name) return static_cast<double>(millis);
  }
  return std::nullopt;
}

}  // namespace

Result<WindowFunctionPtr> compile_ordered_function(const bson::Element& call, ValueView window,
                                                   const WindowOrder& order,
                                                   const StageCompiler& compiler) {
  const std::string name(call.name);
  const auto object = call.value.as_object();
  if (name == "$rank" || name == "$denseRank" || name == "$documentNumber") {
    if (!order.is_sorted) return needs_sort(name);
    if (!object || !object->empty() || !window.is_missing()) {
      return mongo_error(5371601, "Rank style window functions take no other arguments");
    }
    const Ranking ranking = name == "$rank"        ? Ranking::kRank
                            : name == "$denseRank" ? Ranking::kDenseRank
                                                   : Ranking::kDocumentNumber;
    return WindowFunctionPtr(std::make_shared<RankFunction>(ranking));
  }
  if (name == "$locf" || name == "$linearFill") {
    if (name == "$linearFill" && order.sort_path.empty()) return needs_sort(name);
    RESTITCH_TRY(ExpressionPtr input, compiler.expression(call.value));
    if (name == "$locf") return WindowFunctionPtr(std::make_shared<CarryFunction>(input));
    return WindowFunctionPtr(std::make_shared<LinearFunction>(std::move(input), order));
  }
  if (name == "$covariancePop" || name == "$covarianceSamp") {
    const auto pair = call.value.as_array();
    if (!pair || pair->count() != 2) {
      return mongo_error(9, name + " requires an array of two expressions");
    }
    RESTITCH_TRY(ExpressionPtr x, compiler.expression(pair->begin()->value));
    RESTITCH_TRY(ExpressionPtr y, compiler.expression(std::next(pair->begin())->value));
    RESTITCH_TRY(const WindowBounds bounds, WindowBounds::compile(window, order));
    return WindowFunctionPtr(std::make_shared<CovarianceFunction>(
        std::move(x), std::move(y), bounds, order, name == "$covarianceSamp"));
  }
  const bool is_calculus = name == "$derivative" || name == "$integral";
  if (name != "$shift" && name != "$expMovingAvg" && !is_calculus) return WindowFunctionPtr();
  if (!object) return mongo_error(9, "Argument to " + name + " must be an object");
  if (!order.is_sorted) return needs_sort(name);
  if (name == "$shift") return compile_shift(*object, compiler);
  if (name == "$expMovingAvg") return compile_moving_average(*object, compiler);
  if (order.sort_path.empty()) return needs_sort(name);
  if (name == "$derivative" && window.is_missing()) {
    return mongo_error(9, "$derivative requires explicit window bounds");
  }
  const auto scale = calculus_scale(object->find("unit"));
  if (!scale) return mongo_error(5490704, "unit must be 'week' or smaller");
  if (!object->contains("input")) return mongo_error(9, name + " requires an 'input' expression");
  RESTITCH_TRY(ExpressionPtr input, compiler.expression(object->find("input")));
  RESTITCH_TRY(const WindowBounds bounds, WindowBounds::compile(window, order));
  return WindowFunctionPtr(std::make_shared<CalculusFunction>(std::move(input), *scale, bounds,
                                                              order, name == "$integral"));
}

}  // namespace restitch::query
