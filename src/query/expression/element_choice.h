#pragma once

#include <memory>
#include <string>
#include <vector>

#include "query/context.h"
#include "query/expression/expression.h"
#include "query/sort.h"

namespace restitch::query {

// A `sortBy` operand ($sortArray, $top…): 1 or -1 orders whole values, an object is a sort pattern
// for objects.
class ElementOrder {
 public:
  // Errors carry `code` when the operand is neither.
  static Result<ElementOrder> compile(bson::ValueView spec, const CommandContext& context, int code,
                                      std::string_view name);

  // Bytes or values that order elements; see `less`.
  struct Key {
    std::string bytes;  // with a pattern
    bson::Value value;  // without one
  };
  Result<Key> key_of(bson::ValueView element) const;
  bool less(const Key& a, const Key& b) const;

 private:
  std::optional<SortPattern> pattern_;
  bool descending_ = false;
  Comparator comparator_;
};

// The `n` operand of $firstN and its kin: a positive integer (5787902, 5787903, 5787908).
Result<std::int64_t> element_count(bson::ValueView n);

}  // namespace restitch::query
