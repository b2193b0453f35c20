#include "datasource/embedded/predicates.h"

#include <algorithm>
#include <optional>

namespace restitch::datasource::embedded {

namespace {

using bson::Type;
using bson::ValueView;
using bson::View;
using query::FilterNode;
using query::FilterOp;

bool is_leaf(FilterOp op) {
  switch (op) {
    case FilterOp::kEq:
    case FilterOp::kGt:
    case FilterOp::kGte:
    case FilterOp::kLt:
    case FilterOp::kLte:
    case FilterOp::kIn:
    case FilterOp::kExists:
    case FilterOp::kType:
    case FilterOp::kRegex:
      return true;
    default:
      return false;
  }
}

// The path of "$a.b"; nothing for other expressions.
std::optional<std::string> field_of(ValueView expression) {
  const auto text = expression.as_string();
  if (!text || text->size() < 2 || (*text)[0] != '$' || (*text)[1] == '$') return std::nullopt;
  return std::string(text->substr(1));
}

// The value of a constant expression; missing for others.
ValueView constant_of(ValueView expression) {
  if (const auto text = expression.as_string()) {
    return text->starts_with('$') ? ValueView() : expression;
  }
  if (expression.type() == Type::kArray) return {};
  if (const auto object = expression.as_object()) {
    if (object->count() == 1 && object->begin()->name == "$literal") return object->begin()->value;
    return {};
  }
  return expression;
}

std::optional<FilterOp> comparison_of(std::string_view name, bool is_turned) {
  if (name == "$eq") return FilterOp::kEq;
  if (name == "$gt") return is_turned ? FilterOp::kLt : FilterOp::kGt;
  if (name == "$gte") return is_turned ? FilterOp::kLte : FilterOp::kGte;
  if (name == "$lt") return is_turned ? FilterOp::kGt : FilterOp::kLt;
  if (name == "$lte") return is_turned ? FilterOp::kGte : FilterOp::kLte;
  return std::nullopt;
}

// Comparisons of a field with a constant in the conjunction of an $expr.
void collect_expression(ValueView expression, Conjunction& out) {
  const auto object = expression.as_object();
  if (!object || object->count() != 1) return;
  const std::string_view name = object->begin()->name;
  const ValueView argument = object->begin()->value;
  const auto arguments = argument.as_array();
  if (!arguments) return;
  if (name == "$and") {
    for (const bson::Element& element : *arguments) collect_expression(element.value, out);
    return;
  }
  if (arguments->count() != 2) return;
  const ValueView left = arguments->begin()->value;
  const ValueView right = std::next(arguments->begin())->value;
  const bool is_turned = !field_of(left);
  const auto path = field_of(is_turned ? right : left);
  const ValueView constant = constant_of(is_turned ? left : right);
  const auto op = comparison_of(name, is_turned);
  if (!path || constant.is_missing() || !op) return;
  auto node = std::make_shared<FilterNode>();
  node->op = *op;
  node->path = *path;
  node->operand = bson::Value(constant);
  Predicate predicate;
  predicate.node = node.get();
  predicate.path = *path;
  predicate.comparison = std::move(node);
  out.predicates.push_back(std::move(predicate));
}

void collect(const FilterNode& node, const std::string& prefix, const FilterNode* group,
             Conjunction& out) {
  const auto path_of = [&](const FilterNode& leaf) {
    if (prefix.empty()) return leaf.path;
    return leaf.path.empty() ? prefix : prefix + "." + leaf.path;
  };
  const auto negate = [&](const FilterNode& child) {
    // Inside $elemMatch the negation speaks of one element, not of the whole array: the complement
    // still bounds it, but only the document can tell.
    if (group == nullptr && is_leaf(child.op) && child.op != FilterOp::kType &&
        child.op != FilterOp::kRegex) {
      out.predicates.push_back({&child, path_of(child), true, group, nullptr});
    } else {
      out.has_others = true;
    }
  };
  switch (node.op) {
    case FilterOp::kAnd:
      for (const auto& child : node.children) collect(*child, prefix, group, out);
      return;
    case FilterOp::kOr:
      if (group == nullptr) {
        out.unions.push_back(&node);
      } else {
        out.has_others = true;
      }
      return;
    case FilterOp::kNor:
      for (const auto& child : node.children) negate(*child);
      return;
    case FilterOp::kNot:
      negate(*node.children.front());
      return;
    case FilterOp::kElemMatchObject:
    case FilterOp::kElemMatchValue:
      out.has_others = true;  // the element's own conjunction must be tested on the document
      for (const auto& child : node.children) {
        collect(*child, path_of(node), group == nullptr ? &node : group, out);
      }
      return;
    case FilterOp::kExpr:
      out.has_others = true;
      collect_expression(node.operand, out);
      return;
    case FilterOp::kAlwaysTrue:
      return;
    default:
      if (is_leaf(node.op)) {
        out.predicates.push_back({&node, path_of(node), false, group, nullptr});
      } else {
        out.has_others = true;
      }
      return;
  }
}

}  // namespace

void collect_predicates(const FilterNode& node, Conjunction& out) {
  collect(node, "", nullptr, out);
}

bool needs_presence(const Predicate& predicate) {
  const FilterNode& node = *predicate.node;
  const ValueView operand = node.operand;
  if (predicate.is_negated) return node.op == FilterOp::kEq && operand.is_nullish();
  if (predicate.comparison) {
    // Missing sorts below everything but MinKey and undefined.
    return (node.op == FilterOp::kEq || node.op == FilterOp::kGt || node.op == FilterOp::kGte) &&
           !operand.is_nullish() && operand.type() != Type::kMinKey;
  }
  switch (node.op) {
    case FilterOp::kExists:
    case FilterOp::kType:
    case FilterOp::kRegex:
      return true;
    case FilterOp::kIn: {
      const View values = operand.get_document();
      return std::none_of(values.begin(), values.end(),
                          [](const bson::Element& element) { return element.value.is_nullish(); });
    }
    default:  // comparisons with MinKey and MaxKey accept every document
      return !operand.is_nullish() && operand.type() != Type::kMinKey &&
             operand.type() != Type::kMaxKey;
  }
}

}  // namespace restitch::datasource::embedded
