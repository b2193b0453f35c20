#include "datasource/embedded/partial_index.h"

#include "bson/compare.h"

namespace restitch::datasource::embedded {

namespace {

using query::FilterNode;
using query::FilterOp;

bool is_range(FilterOp op) {
  return op == FilterOp::kGt || op == FilterOp::kGte || op == FilterOp::kLt || op == FilterOp::kLte;
}

bool same_class(const FilterNode& a, const FilterNode& b) {
  return bson::canonical_class(a.operand.type()) == bson::canonical_class(b.operand.type());
}

// Whether "value op_a x" implies "value op_b y".
bool comparison_implies(const FilterNode& a, const FilterNode& b) {
  if (!same_class(a, b) || a.operand.view().is_nullish()) return false;
  const int order = bson::compare(a.operand.view(), b.operand.view());
  switch (b.op) {
    case FilterOp::kEq:
      return a.op == FilterOp::kEq && order == 0;
    case FilterOp::kGt:
      return (a.op == FilterOp::kGt && order >= 0) ||
             ((a.op == FilterOp::kGte || a.op == FilterOp::kEq) && order > 0);
    case FilterOp::kGte:
      return (a.op == FilterOp::kGt || a.op == FilterOp::kGte || a.op == FilterOp::kEq) &&
             order >= 0;
    case FilterOp::kLt:
      return (a.op == FilterOp::kLt && order <= 0) ||
             ((a.op == FilterOp::kLte || a.op == FilterOp::kEq) && order < 0);
    case FilterOp::kLte:
      return (a.op == FilterOp::kLt || a.op == FilterOp::kLte || a.op == FilterOp::kEq) &&
             order <= 0;
    default:
      return false;
  }
}

bool is_listed(bson::ValueView value, const FilterNode& list) {
  if (!list.regexes.empty()) return false;
  for (const bson::Element& element : list.operand.view().get_document()) {
    if (bson::equal(element.value, value)) return true;
  }
  return false;
}

bool leaf_implies(const FilterNode& query, const FilterNode& wanted) {
  if (query.path != wanted.path) return false;
  if (query.op == FilterOp::kIn && query.regexes.empty()) {
    // Every listed value must imply the condition.
    const bson::View values = query.operand.view().get_document();
    if (values.empty()) return true;
    for (const bson::Element& element : values) {
      FilterNode one;
      one.op = FilterOp::kEq;
      one.path = query.path;
      one.operand = bson::Value(element.value);
      if (!leaf_implies(one, wanted)) return false;
    }
    return true;
  }
  switch (wanted.op) {
    case FilterOp::kExists:
      if (query.op == FilterOp::kExists) return true;
      return (query.op == FilterOp::kEq || is_range(query.op)) &&
             !query.operand.view().is_nullish();
    case FilterOp::kIn:
      return query.op == FilterOp::kEq && is_listed(query.operand, wanted);
    case FilterOp::kType:
      if (query.op == FilterOp::kEq) {
        for (const bson::Type type : wanted.types) {
          if (query.operand.type() == type) return true;
        }
        return wanted.any_number && query.operand.view().is_number();
      }
      return query.op == FilterOp::kType && query.types == wanted.types &&
             query.any_number == wanted.any_number;
    default:
      return (query.op == FilterOp::kEq || is_range(query.op)) && comparison_implies(query, wanted);
  }
}

bool node_implies(const FilterNode& query, const FilterNode& wanted) {
  if (wanted.op == FilterOp::kAlwaysTrue) return true;
  if (wanted.op == FilterOp::kAnd) {
    for (const auto& child : wanted.children) {
      if (!node_implies(query, *child)) return false;
    }
    return true;
  }
  if (query.op == FilterOp::kOr) {
    for (const auto& child : query.children) {
      if (!node_implies(*child, wanted)) return false;
    }
    return true;
  }
  if (wanted.op == FilterOp::kOr) {
    for (const auto& child : wanted.children) {
      if (node_implies(query, *child)) return true;
    }
  }
  if (query.op == FilterOp::kAnd) {
    for (const auto& child : query.children) {
      if (node_implies(*child, wanted)) return true;
    }
    return false;
  }
  return wanted.op != FilterOp::kOr && leaf_implies(query, wanted);
}

}  // namespace

bool implies(const query::Filter& query, const query::Filter& condition) {
  return node_implies(query.root(), condition.root());
}

}  // namespace restitch::datasource::embedded
