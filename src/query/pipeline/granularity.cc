#include "query/pipeline/granularity.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace restitch::query {
namespace {

class PowersOfTwo final : public Granularity {
 public:
  double round_up(double value) const override {
    return value == 0 ? 0 : std::exp2(std::floor(std::log2(value)) + 1);
  }
  double round_down(double value) const override {
    return value == 0 ? 0 : std::exp2(std::ceil(std::log2(value)) - 1);
  }
};

// A series that repeats in every decade.
class PreferredNumbers final : public Granularity {
 public:
  explicit PreferredNumbers(std::vector<double> base) : base_(std::move(base)) {}

  double round_up(double value) const override {
    if (value == 0) return 0;
    double scale = scale_for(value);
    const double limit = base_.back() * scale;
    if (value >= limit) scale *= 10;
    for (const double member : base_) {
      if (value < member * scale) return member * scale;
    }
    return base_.front() * scale * 10;
  }
  double round_down(double value) const override {
    if (value == 0) return 0;
    const double scale = scale_for(value);
    for (auto member = base_.rbegin(); member != base_.rend(); ++member) {
      if (*member * scale < value) return *member * scale;
    }
    return base_.back() * scale / 10;
  }

 private:
  // The power of ten for which the first member is at most the value.
  double scale_for(double value) const {
    double scale = 1;
    while (value >= base_.front() * scale * 10) scale *= 10;
    while (value < base_.front() * scale) scale /= 10;
    return scale;
  }

  std::vector<double> base_;
};

// Renard's series as ISO 3 rounds them.
constexpr double kR80[] = {
    1.00, 1.03, 1.06, 1.09, 1.12, 1.15, 1.18, 1.22, 1.25, 1.28, 1.32, 1.36, 1.40, 1.45, 1.50, 1.55,
    1.60, 1.65, 1.70, 1.75, 1.80, 1.85, 1.90, 1.95, 2.00, 2.06, 2.12, 2.18, 2.24, 2.30, 2.36, 2.43,
    2.50, 2.58, 2.65, 2.72, 2.80, 2.90, 3.00, 3.07, 3.15, 3.25, 3.35, 3.45, 3.55, 3.65, 3.75, 3.87,
    4.00, 4.12, 4.25, 4.37, 4.50, 4.62, 4.75, 4.87, 5.00, 5.15, 5.30, 5.45, 5.60, 5.80, 6.00, 6.15,
    6.30, 6.50, 6.70, 6.90, 7.10, 7.30, 7.50, 7.75, 8.00, 8.25, 8.50, 8.75, 9.00, 9.25, 9.50, 9.75};

// Every `step`-th member of R80 gives the coarser series.
std::vector<double> renard(std::size_t step) {
  std::vector<double> out;
  for (std::size_t i = 0; i < std::size(kR80); i += step) out.push_back(kR80[i]);
  return out;
}

// IEC 60063: the coarse series have two digits with a few historical values, the fine ones follow
// the formula.
std::vector<double> e_series(int count) {
  static const std::vector<double> kE24 = {10, 11, 12, 13, 15, 16, 18, 20, 22, 24, 27, 30,
                                           33, 36, 39, 43, 47, 51, 56, 62, 68, 75, 82, 91};
  std::vector<double> out;
  constexpr int kFinestCoarse = 24;
  if (count <= kFinestCoarse) {
    for (std::size_t i = 0; i < kE24.size(); i += static_cast<std::size_t>(kFinestCoarse / count)) {
      out.push_back(kE24[i] / 10);
    }
    return out;
  }
  for (int i = 0; i < count; ++i) {
    double value = std::round(100 * std::pow(10.0, static_cast<double>(i) / count)) / 100;
    // The one member of E192 that the standard rounds otherwise.
    constexpr int kException = 185;
    if (count == 192 && i == kException) value = 9.20;
    out.push_back(value);
  }
  return out;
}

}  // namespace

Result<std::shared_ptr<const Granularity>> Granularity::find(std::string_view name) {
  using Pointer = std::shared_ptr<const Granularity>;
  if (name == "POWERSOF2") return Pointer(std::make_shared<PowersOfTwo>());
  if (name == "1-2-5")
    return Pointer(std::make_shared<PreferredNumbers>(std::vector<double>{1, 2, 5}));
  constexpr std::pair<std::string_view, std::size_t> kRenard[] = {
      {"R5", 16}, {"R10", 8}, {"R20", 4}, {"R40", 2}, {"R80", 1}};
  for (const auto& [series, step] : kRenard) {
    if (name == series) return Pointer(std::make_shared<PreferredNumbers>(renard(step)));
  }
  constexpr std::pair<std::string_view, int> kESeries[] = {{"E6", 6},   {"E12", 12}, {"E24", 24},
                                                           {"E48", 48}, {"E96", 96}, {"E192", 192}};
  for (const auto& [series, count] : kESeries) {
    if (name == series) return Pointer(std::make_shared<PreferredNumbers>(e_series(count)));
  }
  return mongo_error(40257, "Unknown rounding granularity '" + std::string(name) + "'");
}

}  // namespace restitch::query
