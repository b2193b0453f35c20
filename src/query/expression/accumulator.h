#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "bson/document.h"
#include "query/context.h"

namespace restitch::query {

// The running state of one accumulator for one group.
class Accumulator {
 public:
  virtual ~Accumulator() = default;
  // A missing value is passed, too.
  virtual Status add(bson::ValueView value) = 0;
  virtual bson::Value result() const = 0;
  // Bytes held beyond the object itself.
  virtual std::size_t memory() const { return 0; }
};
using AccumulatorPtr = std::unique_ptr<Accumulator>;
using AccumulatorFactory = AccumulatorPtr (*)(const CommandContext& context);

// $sum, $avg, $min, $max, $first, $last, $push, $addToSet, $mergeObjects, $stdDevPop, $stdDevSamp;
// null for other names.
AccumulatorFactory find_accumulator(std::string_view name);

}  // namespace restitch::query
