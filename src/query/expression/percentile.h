#pragma once

#include <string_view>
#include <vector>

#include "query/expression/accumulator.h"
#include "query/expression/operator.h"

namespace restitch::query {

// The operand of $median ({input, method}) and $percentile ({input, p, method}).
struct PercentileSpec {
  ExpressionPtr input;
  std::vector<double> fractions;
  bool is_median = false;
};
// Errors: 40414 missing, 40415 unknown, 7750301 and following for a bad `p`, 2 for another method
// than "approximate".
Result<PercentileSpec> parse_percentile(const bson::Element& element,
                                        const ExpressionCompiler& compiler);

// Discrete percentiles: the smallest value that at least the fraction of all values does not
// exceed. Other values than numbers are ignored; without any number the answer is null.
class Percentiles {
 public:
  void add(bson::ValueView value);
  bson::Value result(const PercentileSpec& spec) const;
  std::size_t memory() const { return values_.size() * sizeof(double); }

 private:
  std::vector<double> values_;
};

}  // namespace restitch::query
