#include "rules/explain/reason.h"

#include <utility>

#include "bson/extended_json.h"
#include "rules/expression/source_text.h"

namespace restitch::rules {
namespace {

constexpr std::size_t kMostJoined = 6;

// Calls that are not known stay unmade while one of these lives.
class Frozen {
 public:
  explicit Frozen(FunctionResults& functions) : functions_(functions) {
    functions_.set_frozen(true);
  }
  ~Frozen() { functions_.set_frozen(false); }
  Frozen(const Frozen&) = delete;
  Frozen& operator=(const Frozen&) = delete;

 private:
  FunctionResults& functions_;
};

std::string source_of(const Operand& operand) {
  return bson::to_json(to_source(operand).view(), bson::JsonMode::kRelaxed);
}

const Operand* find_call(const Operand& operand) {
  if (operand.kind == Operand::Kind::kFunction) return &operand;
  for (const Operand& item : operand.items) {
    if (const Operand* call = find_call(item)) return call;
  }
  return nullptr;
}

// The verb of a comparison that holds, or does not.
std::string_view verb_of(CompareOp op, bool holds, bool is_held, bool is_listed) {
  switch (op) {
    case CompareOp::kEq:
    case CompareOp::kNe:
      if (is_held) return holds ? "holds" : "does not hold";
      if (is_listed) return holds ? "is in" : "is not in";
      return holds ? "is" : "is not";
    case CompareOp::kGt:
      return holds ? "is greater than" : "is not greater than";
    case CompareOp::kGte:
      return holds ? "is at least" : "is not at least";
    case CompareOp::kLt:
      return holds ? "is less than" : "is not less than";
    case CompareOp::kLte:
      return holds ? "is at most" : "is not at most";
    case CompareOp::kAll:
      return holds ? "holds all of" : "does not hold all of";
    default:
      return holds ? "is in" : "is not in";
  }
}

}  // namespace

std::vector<const ExpressionNode*> parts_of(const ExpressionProgram& program) {
  std::vector<const ExpressionNode*> parts;
  const bool is_joined = program.root.kind == ExpressionNode::Kind::kAnd ||
                         program.root.kind == ExpressionNode::Kind::kOr;
  if (!is_joined) return parts;
  for (const ExpressionNode& child : program.root.children) parts.push_back(&child);
  return parts;
}

std::string ReasonFinder::why(const Documents& documents) {
  const Frozen frozen(functions_);
  return why(bound_.program_->root, documents);
}

std::vector<Truth> ReasonFinder::parts(const Documents& documents) {
  const Frozen frozen(functions_);
  std::vector<Truth> truths;
  for (const ExpressionNode* part : parts_of(*bound_.program_)) {
    truths.push_back(bound_.evaluate(*part, documents));
  }
  return truths;
}

std::string ReasonFinder::why(const ExpressionNode& node, const Documents& documents) {
  const Truth truth = bound_.evaluate(node, documents);
  switch (node.kind) {
    case ExpressionNode::Kind::kConstant:
      return node.constant ? "true" : "false";
    case ExpressionNode::Kind::kNot:
      return why(node.children.front(), documents);
    case ExpressionNode::Kind::kAnd:
    case ExpressionNode::Kind::kOr:
      return why_joined(node, documents, truth);
    case ExpressionNode::Kind::kCompare:
      return why_compared(node, documents, truth);
  }
  return {};
}

// One part decides an %and that is not true and an %or that is not false; else all of them do.
std::string ReasonFinder::why_joined(const ExpressionNode& node, const Documents& documents,
                                     Truth truth) {
  const Truth neutral = node.kind == ExpressionNode::Kind::kAnd ? Truth::kTrue : Truth::kFalse;
  if (truth != neutral) {
    for (const ExpressionNode& child : node.children) {
      if (bound_.evaluate(child, documents) == truth) return why(child, documents);
    }
  }
  std::string text;
  std::size_t count = 0;
  for (const ExpressionNode& child : node.children) {
    if (!text.empty()) text += " and ";
    if (count++ == kMostJoined) return text + "…";
    const std::string part = why(child, documents);
    const bool is_joined = child.children.size() > 1 && part.find(" and ") != std::string::npos;
    text += is_joined ? "(" + part + ")" : part;
  }
  return text;
}

std::string ReasonFinder::call_text(const Operand& call, const Documents& documents) {
  std::string text = call.name + "(";
  for (std::size_t i = 0; i < call.items.size(); ++i) {
    if (i > 0) text += ", ";
    text += mask_.show(bound_.resolve(call.items[i], documents, false).view());
  }
  return text + ")";
}

std::string ReasonFinder::right_text(const ExpressionNode& node, const Resolved& right) const {
  const std::string value = mask_.show(right.view());
  if (node.right.kind == Operand::Kind::kLiteral) return value;
  return source_of(node.right) + " (" + value + ")";
}

std::string ReasonFinder::why_compared(const ExpressionNode& node, const Documents& documents,
                                       Truth truth) {
  Resolved scratch;
  const Resolved& right = bound_.right_of(node, documents, scratch);
  const Operand* call = find_call(node.right);
  if (right.state == Resolved::State::kPending) {
    return "the function " + call_text(*call, documents) + " was not called";
  }
  if (right.state == Resolved::State::kFailed) {
    if (call != nullptr) return "the function " + call_text(*call, documents) + " failed";
    return source_of(node.right) + " cannot be converted";
  }
  const bool asks_truth = node.left.source == Source::kTrue && node.left.path.empty() &&
                          node.right.kind == Operand::Kind::kFunction;
  if (asks_truth) {
    const bool returned = right.state == Resolved::State::kValue;
    return "the function " + call_text(*call, documents) + " gave " +
           (returned ? mask_.show(right.view()) : "nothing");
  }
  if (right.state == Resolved::State::kMissing) return source_of(node.right) + " has no value";
  const std::string left = left_text(node.left);
  const bson::ValueView value = right.view();
  if (node.op == CompareOp::kExists) {
    const bool is_there = value.get_bool() == (truth == Truth::kTrue);
    return left + (is_there ? " exists" : " does not exist");
  }
  const bool needs_list =
      node.op == CompareOp::kIn || node.op == CompareOp::kNin || node.op == CompareOp::kAll;
  if (needs_list && value.type() != bson::Type::kArray) {
    return right_text(node, right) + " is no list";
  }
  const Resolved found = bound_.resolve_reference(node.left, documents);
  const bool is_negative = node.op == CompareOp::kNe || node.op == CompareOp::kNin;
  const bool holds = (truth == Truth::kTrue) != is_negative;
  const bool is_array = found.view().type() == bson::Type::kArray;
  const bool is_held = is_array && value.type() != bson::Type::kArray;
  const bool is_listed = !is_array && value.type() == bson::Type::kArray &&
                         node.right.kind != Operand::Kind::kLiteral &&
                         node.right.kind != Operand::Kind::kList;
  return left + ": " + mask_.show(found.view()) + " " +
         std::string(verb_of(node.op, holds, is_held, is_listed)) + " " + right_text(node, right);
}

}  // namespace restitch::rules
