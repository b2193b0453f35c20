#pragma once

#include "bson/view.h"
#include "rules/expression/tree.h"

namespace restitch::rules {

// How the right side of a comparison came about; decides what arrays and null on it mean (spec:
// rules §5.4).
enum class RightKind : std::uint8_t { kLiteral, kExpansion };

// Whether one value that the left path leads to satisfies an equality. `leaf` may be missing.
bool equals(bson::ValueView leaf, bson::ValueView right, RightKind kind);
// Whether it is among the elements of `list`.
bool is_among(bson::ValueView leaf, bson::View list, RightKind kind);
// kGt, kGte, kLt, kLte; values of different type classes never compare.
bool is_in_order(CompareOp op, bson::ValueView leaf, bson::ValueView right);

}  // namespace restitch::rules
