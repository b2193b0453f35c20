#include "rules/expression/value_match.h"

#include <cmath>

#include "bson/compare.h"
#include "bson/decimal.h"

namespace restitch::rules {
namespace {

bool has_element(bson::View array, bson::ValueView value) {
  for (const bson::Element& element : array) {
    if (bson::equal(element.value, value)) return true;
  }
  return false;
}

// The value itself or, for an array, one of its elements.
bool is_or_holds(bson::ValueView leaf, bson::ValueView value) {
  if (bson::equal(leaf, value)) return true;
  return leaf.type() == bson::Type::kArray && has_element(leaf.get_document(), value);
}

bool is_nan(bson::ValueView value) {
  if (value.type() == bson::Type::kDouble) return std::isnan(value.get_double());
  if (value.type() == bson::Type::kDecimal128) return bson::decimal_is_nan(value.get_decimal128());
  return false;
}

bool scalar_in_order(CompareOp op, bson::ValueView left, bson::ValueView right) {
  if (bson::canonical_class(left.type()) != bson::canonical_class(right.type())) return false;
  const bool or_equal = op == CompareOp::kGte || op == CompareOp::kLte;
  if (is_nan(left) || is_nan(right)) return or_equal && is_nan(left) && is_nan(right);
  const int order = bson::compare(left, right);
  if (order == 0) return or_equal;
  const bool wants_greater = op == CompareOp::kGt || op == CompareOp::kGte;
  return wants_greater == (order > 0);
}

}  // namespace

bool equals(bson::ValueView leaf, bson::ValueView right, RightKind kind) {
  if (leaf.is_missing()) return kind == RightKind::kLiteral && right.type() == bson::Type::kNull;
  if (is_or_holds(leaf, right)) return true;
  if (kind == RightKind::kLiteral || right.type() != bson::Type::kArray) return false;
  return leaf.type() != bson::Type::kArray && has_element(right.get_document(), leaf);
}

bool is_among(bson::ValueView leaf, bson::View list, RightKind kind) {
  for (const bson::Element& element : list) {
    if (leaf.is_missing()) {
      if (kind == RightKind::kLiteral && element.value.type() == bson::Type::kNull) return true;
    } else if (is_or_holds(leaf, element.value)) {
      return true;
    }
  }
  return false;
}

bool is_in_order(CompareOp op, bson::ValueView leaf, bson::ValueView right) {
  if (leaf.is_missing()) return false;
  if (scalar_in_order(op, leaf, right)) return true;
  if (leaf.type() != bson::Type::kArray) return false;
  for (const bson::Element& element : leaf.get_document()) {
    if (scalar_in_order(op, element.value, right)) return true;
  }
  return false;
}

}  // namespace restitch::rules
