#include "query/expression/percentile.h"

#include <algorithm>
#include <cmath>

#include "bson/extended_json.h"
#include "query/expression/nodes.h"

namespace restitch::query {

using bson::Type;
using bson::Value;
using bson::ValueView;

namespace {

Result<std::vector<double>> read_fractions(ValueView p, const ExpressionCompiler& compiler) {
  RESTITCH_TRY(const ExpressionPtr compiled, compiler.compile(p));
  const auto constant = compiled->constant();
  if (!constant) {
    return mongo_error(
        7750300, "The $percentile 'p' field must be an array of constant values, but found: " +
                     bson::to_shell(p));
  }
  const auto array = constant->as_array();
  if (!array || array->empty()) {
    return mongo_error(7750301,
                       "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], "
                       "but found: " +
                           bson::to_shell(p));
  }
  std::vector<double> out;
  for (const bson::Element& element : *array) {
    const auto fraction = element.value.as_double();
    if (!fraction) {
      return mongo_error(7750302,
                         "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], "
                         "but found: " +
                             bson::to_shell(element.value));
    }
    if (!(*fraction >= 0 && *fraction <= 1)) {
      return mongo_error(7750303,
                         "The $percentile 'p' field must be an array of numbers from [0.0, 1.0], "
                         "but found: " +
                             bson::to_shell(element.value));
    }
    out.push_back(*fraction);
  }
  return out;
}

}  // namespace

Result<PercentileSpec> parse_percentile(const bson::Element& element,
                                        const ExpressionCompiler& compiler) {
  const std::string name(element.name);
  PercentileSpec spec;
  spec.is_median = name == "$median";
  if (element.value.type() != Type::kObject) {
    const int code = spec.is_median ? 7436100 : 7429703;
    return mongo_error(code, "specification must be an object; found " + name + ": " +
                                 bson::to_shell(element.value));
  }
  const bson::View object = element.value.get_document();
  for (const bson::Element& argument : object) {
    const bool is_known = argument.name == "input" || argument.name == "method" ||
                          (argument.name == "p" && !spec.is_median);
    if (!is_known) {
      return mongo_error(40415, "BSON field '" + name + "." + std::string(argument.name) +
                                    "' is an unknown field.");
    }
  }
  for (const char* required : {"input", "p", "method"}) {
    if (object.contains(required) || (spec.is_median && std::string_view(required) == "p"))
      continue;
    return mongo_error(
        40414, "BSON field '" + name + "." + required + "' is missing but a required field");
  }
  if (object["method"].as_string() != "approximate") {
    return mongo_error(2, "Currently only 'approximate' can be used as percentile 'method'.");
  }
  RESTITCH_TRY(spec.input, compiler.compile(object["input"]));
  spec.fractions = {0.5};
  if (!spec.is_median) {
    RESTITCH_TRY(spec.fractions, read_fractions(object["p"], compiler));
  }
  return spec;
}

void Percentiles::add(ValueView value) {
  const auto number = value.as_double();
  if (number && !std::isnan(*number)) values_.push_back(*number);
}

Value Percentiles::result(const PercentileSpec& spec) const {
  std::vector<double> sorted = values_;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&sorted](double fraction) {
    if (sorted.empty()) return Value::null();
    const double rank = std::ceil(fraction * static_cast<double>(sorted.size())) - 1;
    return Value::of(sorted[rank < 0 ? 0 : static_cast<std::size_t>(rank)]);
  };
  if (spec.is_median) return at(spec.fractions.front());
  bson::Builder builder;
  for (const double fraction : spec.fractions) builder.push(at(fraction));
  return Value::array(std::move(builder).finish());
}

}  // namespace restitch::query
