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
using Values = std::vector<Value>;

Result<Values> evaluate_all(const Expression& expression, std::span<const WindowEntry> entries,
                            RunContext& run) {
  Values out;
  out.reserve(entries.size());
  for (const WindowEntry& entry : entries) {
    EvalContext context = run.evaluation(entry.document);
    RESTITCH_TRY(Value value, expression.evaluate(context));
    out.push_back(std::move(value));
  }
  return out;
}

enum class Ranking : std::uint8_t { kRank, kDenseRank, kDocumentNumber };

class RankFunction final : public WindowFunction {
 public:
  explicit RankFunction(Ranking ranking) : ranking_(ranking) {}
  Result<Values> compute(std::span<const WindowEntry> entries, RunContext&) const override {
    Values out;
    std::int64_t rank = 0;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const bool is_new = i == 0 || entries[i].sort_key != entries[i - 1].sort_key;
      const auto number = static_cast<std::int64_t>(i) + 1;
      if (ranking_ == Ranking::kDocumentNumber || (ranking_ == Ranking::kRank && is_new)) {
        rank = number;
      } else if (ranking_ == Ranking::kDenseRank && is_new) {
        ++rank;
      }
      out.push_back(make_integer(rank, true));
    }
    return out;
  }

 private:
  Ranking ranking_;
};

class ShiftFunction final : public WindowFunction {
 public:
  ShiftFunction(ExpressionPtr output, std::int64_t by, Value otherwise)
      : output_(std::move(output)), otherwise_(std::move(otherwise)), by_(by) {}
  Result<Values> compute(std::span<const WindowEntry> entries, RunContext& run) const override {
    RESTITCH_TRY(const Values values, evaluate_all(*output_, entries, run));
    Values out;
    const auto count = static_cast<std::int64_t>(values.size());
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t from = by_ > count || by_ < -count ? -1 : i + by_;
      const bool is_inside = from >= 0 && from < count;
      const Value& value = is_inside ? values[static_cast<std::size_t>(from)] : otherwise_;
      out.push_back(value.is_missing() ? Value::null() : value);
    }
    return out;
  }

 private:
  ExpressionPtr output_;
  Value otherwise_;
  std::int64_t by_;
};

// $locf and $linearFill.
class FillFunction final : public WindowFunction {
 public:
  FillFunction(ExpressionPtr input, WindowOrder order, bool is_linear)
      : input_(std::move(input)), order_(std::move(order)), is_linear_(is_linear) {}
  Result<Values> compute(std::span<const WindowEntry> entries, RunContext& run) const override {
    RESTITCH_TRY(Values values, evaluate_all(*input_, entries, run));
    std::optional<std::size_t> last;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!values[i].view().is_nullish()) {
        if (is_linear_) RESTITCH_CHECK(fill_gap(values, last, i, entries));
        last = i;
      } else {
        values[i] = !is_linear_ && last ? values[*last] : Value::null();
      }
    }
    return values;
  }

 private:
  // The values between two known ones lie on a line.
  Status fill_gap(Values& values, std::optional<std::size_t> from, std::size_t to,
                  std::span<const WindowEntry> entries) const {
    if (!values[to].view().is_number()) {
      return mongo_error(605001, "Value to be filled must be numeric or nullish");
    }
    if (!from) return {};
    RESTITCH_TRY(const auto x0, sort_position(entries[*from], order_));
    RESTITCH_TRY(const auto x1, sort_position(entries[to], order_));
    const double y0 = *values[*from].view().as_double();
    const double y1 = *values[to].view().as_double();
    for (std::size_t i = *from + 1; i < to; ++i) {
      RESTITCH_TRY(const auto x, sort_position(entries[i], order_));
      if (!x0 || !x1 || !x || *x1 == *x0) continue;
      values[i] = Value::of(y0 + (y1 - y0) * (*x - *x0) / (*x1 - *x0));
    }
    return {};
  }

  ExpressionPtr input_;
  WindowOrder order_;
  bool is_linear_;
};

class MovingAverageFunction final : public WindowFunction {
 public:
  MovingAverageFunction(ExpressionPtr input, double alpha)
      : input_(std::move(input)), alpha_(alpha) {}
  Result<Values> compute(std::span<const WindowEntry> entries, RunContext& run) const override {
    RESTITCH_TRY(Values values, evaluate_all(*input_, entries, run));
    std::optional<double> average;
    for (Value& value : values) {
      const auto number = value.view().as_double();
      if (number) average = average ? alpha_ * *number + (1 - alpha_) * *average : *number;
      value = average ? Value::of(*average) : Value::null();
    }
    return values;
  }

 private:
  ExpressionPtr input_;
  double alpha_;
};

class CovarianceFunction final : public WindowFunction {
 public:
  CovarianceFunction(ExpressionPtr x, ExpressionPtr y, WindowBounds bounds, WindowOrder order,
                     bool sample)
      : x_(std::move(x)),
        y_(std::move(y)),
        bounds_(bounds),
        order_(std::move(order)),
        sample_(sample) {}
  Result<Values> compute(std::span<const WindowEntry> entries, RunContext& run) const override {
    RESTITCH_TRY(const Values xs, evaluate_all(*x_, entries, run));
    RESTITCH_TRY(const Values ys, evaluate_all(*y_, entries, run));
    RESTITCH_TRY(const auto ranges, bounds_.ranges(entries, order_));
    Values out;
    for (const WindowRange& range : ranges) out.push_back(covariance(xs, ys, range));
    return out;
  }

 private:
  Value covariance(const Values& xs, const Values& ys, WindowRange range) const {
    double mean_x = 0;
    double mean_y = 0;
    double sum = 0;
    double count = 0;
    for (std::size_t i = range.begin; i < range.end; ++i) {
      const auto x = xs[i].view().as_double();
      const auto y = ys[i].view().as_double();
      if (!x || !y) continue;
      ++count;
      const double delta = *x - mean_x;
      mean_x += delta / count;
      mean_y += (*y - mean_y) / count;
      sum += delta * (*y - mean_y);
    }
    const double divisor = sample_ ? count - 1 : count;
    return divisor > 0 ? Value::of(sum / divisor) : Value::null();
  }

  ExpressionPtr x_;
  ExpressionPtr y_;
  WindowBounds bounds_;
  WindowOrder order_;
  bool sample_;
};

// $derivative and $integral over the sort axis, dates in units of `scale` milliseconds.
class CalculusFunction final : public WindowFunction {
 public:
  CalculusFunction(ExpressionPtr input, double scale, WindowBounds bounds, WindowOrder order,
                   bool is_integral)
      : input_(std::move(input)),
        scale_(scale),
        bounds_(bounds),
        order_(std::move(order)),
        is_integral_(is_integral) {}
  Result<Values> compute(std::span<const WindowEntry> entries, RunContext& run) const override {
    RESTITCH_TRY(const Values values, evaluate_all(*input_, entries, run));
    RESTITCH_TRY(const auto ranges, bounds_.ranges(entries, order_));
    std::vector<double> xs;
    for (const WindowEntry& entry : entries) {
      RESTITCH_TRY(const auto position, sort_position(entry, order_));
      xs.push_back(position.value_or(std::nan("")) / scale_);
    }
    Values out;
    for (const WindowRange& range : ranges) {
      out.push_back(is_integral_ ? integral(xs, values, range) : derivative(xs, values, range));
    }
    return out;
  }

 private:
  static Value derivative(const std::vector<double>& xs, const Values& ys, WindowRange range) {
    if (range.end - range.begin < 2) return Value::null();
    const auto y0 = ys[range.begin].view().as_double();
    const auto y1 = ys[range.end - 1].view().as_double();
    const double distance = xs[range.end - 1] - xs[range.begin];
    if (!y0 || !y1 || !(distance != 0) || std::isnan(distance)) return Value::null();
    return Value::of((*y1 - *y0) / distance);
  }
  static Value integral(const std::vector<double>& xs, const Values& ys, WindowRange range) {
    if (range.begin == range.end) return Value::null();
    double sum = 0;
    for (std::size_t i = range.begin + 1; i < range.end; ++i) {
      const auto y0 = ys[i - 1].view().as_double();
      const auto y1 = ys[i].view().as_double();
      if (!y0 || !y1) return Value::null();
      sum += (*y0 + *y1) / 2 * (xs[i] - xs[i - 1]);
    }
    return Value::of(sum);
  }

  ExpressionPtr input_;
  double scale_;
  WindowBounds bounds_;
  WindowOrder order_;
  bool is_integral_;
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
      std::make_shared<ShiftFunction>(std::move(output), *by, std::move(otherwise)));
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
    return WindowFunctionPtr(
        std::make_shared<FillFunction>(std::move(input), order, name == "$linearFill"));
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
