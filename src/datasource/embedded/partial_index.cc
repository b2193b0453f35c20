#include "datasource/embedded/partial_index.h"

#include <algorithm>
#include <cmath>

#include "bson/compare.h"

namespace restitch::datasource::embedded {

namespace {

using query::FilterNode;
using query::FilterOp;

bool is_range(FilterOp op) {
  return op == FilterOp::kGt || op == FilterOp::kGte || op == FilterOp::kLt || op == FilterOp::kLte;
}

bool is_nan(bson::ValueView value) {
  return value.is_number() && std::isnan(value.as_double().value_or(0));
}

bool same_class(const FilterNode& a, const FilterNode& b) {
  return bson::canonical_class(a.operand.type()) == bson::canonical_class(b.operand.type());
}

// Whether "value op_a x" implies "value op_b y".
bool comparison_implies(const FilterNode& a, const FilterNode& b) {
  if (!same_class(a, b) || a.operand.view().is_nullish()) return false;
  // NaN is no part of ranges, although it sorts below the numbers.
  if (is_nan(a.operand) != is_nan(b.operand)) return false;
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
  if (query.op == FilterOp::kNot) {
    // {$ne: null} leaves only documents that have the field.
    const FilterNode& child = *query.children.front();
    return wanted.op == FilterOp::kExists && child.op == FilterOp::kEq &&
           child.path == wanted.path && child.operand.view().is_nullish();
  }
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
      if (query.op == FilterOp::kType || query.op == FilterOp::kRegex) return true;
      // Comparisons with MinKey and MaxKey accept documents without the field.
      return (query.op == FilterOp::kEq || is_range(query.op)) &&
             !query.operand.view().is_nullish() && query.operand.type() != bson::Type::kMinKey &&
             query.operand.type() != bson::Type::kMaxKey;
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

bool node_implies(const FilterNode& query, const FilterNode& wanted);

// Whether the conjunction of the nodes implies `wanted`.
bool all_imply(const std::vector<const FilterNode*>& nodes, const FilterNode& wanted) {
  if (wanted.op == FilterOp::kAlwaysTrue) return true;
  if (wanted.op == FilterOp::kAnd) {
    return std::all_of(wanted.children.begin(), wanted.children.end(),
                       [&](const auto& child) { return all_imply(nodes, *child); });
  }
  if (wanted.op == FilterOp::kOr &&
      std::any_of(wanted.children.begin(), wanted.children.end(),
                  [&](const auto& child) { return all_imply(nodes, *child); })) {
    return true;
  }
  return std::any_of(nodes.begin(), nodes.end(),
                     [&](const FilterNode* node) { return node_implies(*node, wanted); });
}

// `wanted` is no conjunction.
bool node_implies(const FilterNode& query, const FilterNode& wanted) {
  if (query.op == FilterOp::kAnd) {
    std::vector<const FilterNode*> children;
    for (const auto& child : query.children) children.push_back(child.get());
    return all_imply(children, wanted);
  }
  if (query.op == FilterOp::kOr) {
    return std::all_of(query.children.begin(), query.children.end(),
                       [&](const auto& child) { return all_imply({child.get()}, wanted); });
  }
  return wanted.op != FilterOp::kOr && leaf_implies(query, wanted);
}

bool compares_strings(const FilterNode& node) {
  const bson::Type type = node.operand.type();
  if (type == bson::Type::kString || type == bson::Type::kSymbol || type == bson::Type::kObject ||
      type == bson::Type::kArray) {
    return true;
  }
  return std::any_of(node.children.begin(), node.children.end(),
                     [](const auto& child) { return compares_strings(*child); });
}

}  // namespace

bool implies(const Premise& premise, const query::Filter& condition,
             const query::Collation* index_collation) {
  // Orders of strings are compared as bytes here, which says nothing under a collation.
  const bool is_simple = premise.collation == nullptr && index_collation == nullptr;
  if (!is_simple && compares_strings(condition.root())) return false;
  return all_imply(premise.nodes, condition.root());
}

}  // namespace restitch::datasource::embedded
