#include "rules/expression/bound_expression.h"

#include <span>
#include <utility>

#include "rules/expression/path_walk.h"
#include "rules/expression/value_match.h"

namespace restitch::rules {
namespace {

RightKind kind_of(const Operand& right) {
  const bool is_written_out = right.kind == Operand::Kind::kLiteral ||
                              right.kind == Operand::Kind::kList ||
                              right.kind == Operand::Kind::kObject;
  return is_written_out ? RightKind::kLiteral : RightKind::kExpansion;
}

constexpr bool is_negative(CompareOp op) { return op == CompareOp::kNe || op == CompareOp::kNin; }

}  // namespace

BoundExpression::BoundExpression(const ExpressionProgram& program, const EvaluationContext& context,
                                 FunctionResults* functions)
    : program_(&program),
      context_(&context),
      functions_(functions),
      truths_(static_cast<std::size_t>(program.node_count)),
      slots_(static_cast<std::size_t>(program.slot_count)),
      anchors_(static_cast<std::size_t>(program.left_slot_count)) {}

Truth BoundExpression::evaluate(const ExpressionNode& node, const Documents& documents) {
  if (node.kind == ExpressionNode::Kind::kConstant) return truth_of(node.constant);
  if (node.needs_document) return compute(node, documents);
  std::optional<Truth>& known = truths_[static_cast<std::size_t>(node.index)];
  if (known) return *known;
  const Truth truth = compute(node, documents);
  if (truth != Truth::kPending) known = truth;
  return truth;
}

Truth BoundExpression::compute(const ExpressionNode& node, const Documents& documents) {
  switch (node.kind) {
    case ExpressionNode::Kind::kConstant:
      return truth_of(node.constant);
    case ExpressionNode::Kind::kAnd:
      return all_of(node, documents, Truth::kTrue);
    case ExpressionNode::Kind::kOr:
      return all_of(node, documents, Truth::kFalse);
    case ExpressionNode::Kind::kNot: {
      const Truth inner = evaluate(node.children.front(), documents);
      if (inner == Truth::kTrue) return Truth::kFalse;
      if (inner == Truth::kFalse) return Truth::kTrue;
      return inner;
    }
    case ExpressionNode::Kind::kCompare:
      return compare(node, documents);
  }
  return Truth::kFailed;
}

Truth BoundExpression::all_of(const ExpressionNode& node, const Documents& documents,
                              Truth neutral) {
  bool is_pending = false;
  bool has_failed = false;
  for (const ExpressionNode& child : node.children) {
    const Truth truth = evaluate(child, documents);
    if (truth == neutral) continue;
    if (truth == Truth::kPending) {
      is_pending = true;
    } else if (truth == Truth::kFailed) {
      has_failed = true;
    } else {
      return truth;
    }
  }
  if (is_pending) return Truth::kPending;
  return has_failed ? Truth::kFailed : neutral;
}

template <typename Test>
bool BoundExpression::any_left(const ExpressionNode& node, const Documents& documents,
                               const Test& test) {
  const std::span<const std::string> path(node.left.path);
  if (node.left_slot < 0) {
    return walk_path(anchor_of(node.left, documents), path, NameMatch::kExact, test);
  }
  std::optional<Anchor>& anchor = anchors_[static_cast<std::size_t>(node.left_slot)];
  if (!anchor) anchor = anchor_of(node.left, *context_);
  return walk_path(anchor->view(), path.subspan(anchor->consumed), name_match_of(node.left), test);
}

bool BoundExpression::matches(const ExpressionNode& node, const Documents& documents,
                              bson::ValueView right) {
  const RightKind kind = kind_of(node.right);
  switch (node.op) {
    case CompareOp::kEq:
    case CompareOp::kNe:
      return any_left(node, documents,
                      [&](bson::ValueView leaf) { return equals(leaf, right, kind); });
    case CompareOp::kIn:
    case CompareOp::kNin:
      return any_left(node, documents, [&](bson::ValueView leaf) {
        return is_among(leaf, right.get_document(), kind);
      });
    case CompareOp::kAll:
      for (const bson::Element& element : right.get_document()) {
        const bson::ValueView wanted = element.value;
        const bool has = any_left(node, documents, [&](bson::ValueView leaf) {
          return equals(leaf, wanted, RightKind::kLiteral);
        });
        if (!has) return false;
      }
      return !right.get_document().empty();
    case CompareOp::kExists:
      return any_left(node, documents, [](bson::ValueView leaf) { return !leaf.is_missing(); });
    default:
      return any_left(node, documents,
                      [&](bson::ValueView leaf) { return is_in_order(node.op, leaf, right); });
  }
}

Truth BoundExpression::compare(const ExpressionNode& node, const Documents& documents) {
  Resolved scratch;
  const Resolved& right = right_of(node, documents, scratch);
  if (right.state == Resolved::State::kPending) return Truth::kPending;
  if (right.state == Resolved::State::kFailed) return Truth::kFailed;
  if (right.state == Resolved::State::kMissing) return truth_of(is_negative(node.op));
  const bson::ValueView value = right.view();
  const bool needs_list =
      node.op == CompareOp::kIn || node.op == CompareOp::kNin || node.op == CompareOp::kAll;
  if (needs_list && value.type() != bson::Type::kArray) return Truth::kFalse;
  const bool is_match = matches(node, documents, value);
  if (node.op == CompareOp::kExists) return truth_of(is_match == value.get_bool());
  return truth_of(is_match != is_negative(node.op));
}

const Resolved& BoundExpression::right_of(const ExpressionNode& node, const Documents& documents,
                                          Resolved& scratch) {
  const Operand& right = node.right;
  const bool skip_missing = node.op == CompareOp::kIn || node.op == CompareOp::kNin;
  if (right.slot < 0) {
    scratch = resolve(right, documents, skip_missing);
    return scratch;
  }
  std::optional<Resolved>& slot = slots_[static_cast<std::size_t>(right.slot)];
  if (!slot || slot->state == Resolved::State::kPending) {
    slot = resolve(right, documents, skip_missing);
  }
  return *slot;
}

Resolved BoundExpression::resolve(const Operand& operand, const Documents& documents,
                                  bool skip_missing) {
  switch (operand.kind) {
    case Operand::Kind::kLiteral:
      return Resolved::of(operand.literal);
    case Operand::Kind::kReference:
      return resolve_reference(operand.reference, documents);
    case Operand::Kind::kConversion:
      return resolve_conversion(operand, documents);
    case Operand::Kind::kFunction:
      return resolve_function(operand, documents);
    case Operand::Kind::kObject:
    case Operand::Kind::kList:
      return resolve_composite(operand, documents, skip_missing);
  }
  return Resolved::failed();
}

Resolved BoundExpression::resolve_reference(const Reference& reference,
                                            const Documents& documents) {
  const std::span<const std::string> path(reference.path);
  if (reference.needs_document()) {
    return follow(anchor_of(reference, documents), path, NameMatch::kExact);
  }
  Anchor anchor = anchor_of(reference, *context_);
  if (anchor.consumed == path.size()) {
    if (!anchor.owned.is_missing()) return Resolved::made(std::move(anchor.owned));
    return Resolved::of(anchor.borrowed);
  }
  Resolved result = follow(anchor.view(), path.subspan(anchor.consumed), name_match_of(reference));
  // What was found inside a value made here must not outlive it.
  const bool is_inside = !anchor.owned.is_missing() && result.owned.is_missing();
  if (is_inside) return Resolved::made(bson::Value(result.borrowed));
  return result;
}

Resolved BoundExpression::resolve_conversion(const Operand& operand, const Documents& documents) {
  Resolved inner = resolve(operand.items.front(), documents, false);
  if (inner.state != Resolved::State::kValue) return inner;
  auto converted = convert(operand.conversion, inner.view());
  if (!converted) return Resolved::failed();
  return Resolved::made(std::move(*converted));
}

Resolved BoundExpression::resolve_function(const Operand& operand, const Documents& documents) {
  if (functions_ == nullptr) return Resolved::failed();
  bson::Builder arguments;
  for (const Operand& item : operand.items) {
    const Resolved value = resolve(item, documents, false);
    if (value.state == Resolved::State::kPending || value.state == Resolved::State::kFailed) {
      return Resolved{value.state, {}, {}};
    }
    if (value.state == Resolved::State::kMissing) {
      arguments.push(bson::Value::undefined().view());
    } else {
      arguments.push(value.view());
    }
  }
  return functions_->find(operand, std::move(arguments).finish());
}

Resolved BoundExpression::resolve_composite(const Operand& operand, const Documents& documents,
                                            bool skip_missing) {
  const bool is_list = operand.kind == Operand::Kind::kList;
  bson::Builder builder;
  for (std::size_t i = 0; i < operand.items.size(); ++i) {
    const Resolved item = resolve(operand.items[i], documents, false);
    if (item.state == Resolved::State::kMissing && skip_missing) continue;
    if (item.state != Resolved::State::kValue) return Resolved{item.state, {}, {}};
    if (is_list) {
      builder.push(item.view());
    } else {
      builder.append(operand.names[i], item.view());
    }
  }
  bson::Document document = std::move(builder).finish();
  return Resolved::made(is_list ? bson::Value::array(std::move(document))
                                : bson::Value::of(std::move(document)));
}

}  // namespace restitch::rules
