#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"

namespace restitch::query {

// A series of preferred numbers that $bucketAuto rounds its boundaries to.
class Granularity {
 public:
  virtual ~Granularity() = default;
  // The next member of the series above, or below, a non-negative value; 0 stays 0.
  virtual double round_up(double value) const = 0;
  virtual double round_down(double value) const = 0;

  // R5 to R80, 1-2-5, E6 to E192, POWERSOF2; error 40257 for other names.
  static Result<std::shared_ptr<const Granularity>> find(std::string_view name);
};

}  // namespace restitch::query
