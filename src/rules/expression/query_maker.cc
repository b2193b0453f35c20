#include "rules/expression/query_maker.h"

#include <cmath>
#include <optional>
#include <utility>

#include "bson/decimal.h"
#include "query/path.h"

namespace restitch::rules {
namespace {

// A path as a query field name. Nothing when a query cannot have it, or may follow it otherwise
// than expressions do: an index into nested arrays.
std::optional<std::string> field_name(const Reference& reference) {
  const bool is_stored = reference.source == Source::kRoot || reference.source == Source::kPrevRoot;
  if (!is_stored || reference.path.empty()) return std::nullopt;
  std::string name;
  for (const std::string& component : reference.path) {
    if (component.starts_with('$') || component.find('\0') != std::string::npos) {
      return std::nullopt;
    }
    if (!name.empty() && query::array_index(component)) return std::nullopt;
    if (!name.empty()) name.push_back('.');
    name += component;
  }
  return name;
}

// Values on which queries and expressions agree.
bool is_plain(bson::ValueView value) {
  switch (value.type()) {
    case bson::Type::kString:
    case bson::Type::kObjectId:
    case bson::Type::kBool:
    case bson::Type::kDate:
    case bson::Type::kInt32:
    case bson::Type::kInt64:
    case bson::Type::kBinary:
    case bson::Type::kTimestamp:
      return true;
    case bson::Type::kDouble:
      return !std::isnan(value.get_double());
    case bson::Type::kDecimal128:
      return !bson::decimal_is_nan(value.get_decimal128());
    default:
      return false;
  }
}

// Values that may stand in a query without changing its meaning.
bool is_quotable(bson::ValueView value) {
  return is_plain(value) || value.type() == bson::Type::kNull ||
         value.type() == bson::Type::kArray || value.type() == bson::Type::kDouble ||
         value.type() == bson::Type::kDecimal128 ||
         (value.type() == bson::Type::kObject &&
          (value.get_document().empty() || !value.get_document().begin()->name.starts_with('$')));
}

Pushed condition(const std::string& field, const char* op, bson::ValueView value, bool exact) {
  bson::Builder builder;
  builder.open_object(field).append(op, value).close();
  return Pushed::of(std::move(builder).finish(), exact);
}

Pushed list_condition(const std::string& field, const char* op, bson::View list, bool exact) {
  bson::Builder builder;
  builder.open_object(field).append_array(op, list).close();
  return Pushed::of(std::move(builder).finish(), exact);
}

bool all_of_list(bson::View list, bool (*test)(bson::ValueView)) {
  for (const bson::Element& element : list) {
    if (!test(element.value)) return false;
  }
  return true;
}

Pushed equality(const std::string& field, bson::ValueView right, bool is_expansion, bool negated) {
  if (is_plain(right)) {
    return condition(field, negated ? "$ne" : "$eq", right, true);
  }
  if (negated || !is_quotable(right)) return Pushed::all(false);
  if (right.type() != bson::Type::kArray || !is_expansion) {
    return condition(field, "$eq", right, false);
  }
  // A field that holds or is held by the array.
  if (!all_of_list(right.get_document(), is_quotable)) return Pushed::all(false);
  bson::Builder list;
  for (const bson::Element& element : right.get_document()) list.push(element.value);
  list.push(right);
  return list_condition(field, "$in", std::move(list).finish(), false);
}

Pushed membership(const std::string& field, bson::ValueView right, bool negated) {
  if (right.type() != bson::Type::kArray) return Pushed::none();
  const bson::View list = right.get_document();
  if (list.empty()) return negated ? Pushed::all(true) : Pushed::none();
  const bool exact = all_of_list(list, is_plain);
  if (!all_of_list(list, is_quotable) || (negated && !exact)) return Pushed::all(false);
  return list_condition(field, negated ? "$nin" : "$in", list, exact);
}

Pushed all_members(const std::string& field, bson::ValueView right) {
  if (right.type() != bson::Type::kArray || right.get_document().empty()) return Pushed::none();
  const bson::View list = right.get_document();
  if (!all_of_list(list, is_plain)) return Pushed::all(false);
  return list_condition(field, "$all", list, true);
}

const char* order_operator(CompareOp op) {
  switch (op) {
    case CompareOp::kGt:
      return "$gt";
    case CompareOp::kGte:
      return "$gte";
    case CompareOp::kLt:
      return "$lt";
    default:
      return "$lte";
  }
}

Pushed negation(Pushed pushed) {
  if (!pushed.exact) return Pushed::all(false);
  if (pushed.kind == Pushed::Kind::kAll) return Pushed::none();
  if (pushed.kind == Pushed::Kind::kNone) return Pushed::all(true);
  bson::Builder builder;
  builder.open_array("$nor").push(pushed.query.view()).close();
  return Pushed::of(std::move(builder).finish(), true);
}

constexpr CompareOp opposite(CompareOp op) {
  switch (op) {
    case CompareOp::kEq:
      return CompareOp::kNe;
    case CompareOp::kNe:
      return CompareOp::kEq;
    case CompareOp::kIn:
      return CompareOp::kNin;
    case CompareOp::kNin:
      return CompareOp::kIn;
    default:
      return op;
  }
}

Pushed combine(std::vector<Pushed> parts, const char* op, Pushed::Kind neutral) {
  Pushed result{neutral, true, {}};
  std::vector<Pushed> queries;
  bool exact = true;
  bool is_decided = false;  // by a part that decides alone, but not exactly
  for (Pushed& part : parts) {
    if (part.kind == Pushed::Kind::kQuery) {
      exact &= part.exact;
      queries.push_back(std::move(part));
    } else if (part.kind == neutral) {
      exact &= part.exact;
    } else if (part.exact) {
      return std::move(part);
    } else {
      is_decided = true;
    }
  }
  if (is_decided) return Pushed::all(false);
  result.exact = exact;
  if (queries.empty()) return result;
  if (queries.size() == 1) {
    queries.front().exact = exact;
    return std::move(queries.front());
  }
  bson::Builder builder;
  builder.open_array(op);
  for (const Pushed& query : queries) builder.push(query.query.view());
  builder.close();
  return Pushed::of(std::move(builder).finish(), exact);
}

}  // namespace

bson::Document Pushed::to_query() const {
  if (kind != Kind::kNone) return query;
  bson::Builder builder;
  builder.open_object("_id").open_array("$in").close().close();
  return std::move(builder).finish();
}

Pushed both(std::vector<Pushed> parts) {
  return combine(std::move(parts), "$and", Pushed::Kind::kAll);
}

Pushed either(std::vector<Pushed> parts) {
  return combine(std::move(parts), "$or", Pushed::Kind::kNone);
}

Pushed QueryMaker::make(const ExpressionNode& node, bool negated) {
  if (!node.needs_document) {
    const Truth truth = bound_.evaluate(node, {});
    if (truth == Truth::kPending) return Pushed::all(false);
    if (truth == Truth::kFailed) return Pushed::none();
    return (truth == Truth::kTrue) != negated ? Pushed::all(true) : Pushed::none();
  }
  switch (node.kind) {
    case ExpressionNode::Kind::kNot:
      return make(node.children.front(), !negated);
    case ExpressionNode::Kind::kCompare:
      return compare(node, negated);
    default:
      return join(node, negated);
  }
}

Pushed QueryMaker::join(const ExpressionNode& node, bool negated) {
  std::vector<Pushed> parts;
  for (const ExpressionNode& child : node.children) parts.push_back(make(child, negated));
  const bool is_and = (node.kind == ExpressionNode::Kind::kAnd) != negated;
  return is_and ? both(std::move(parts)) : either(std::move(parts));
}

Pushed QueryMaker::compare(const ExpressionNode& node, bool negated) {
  if (node.op == CompareOp::kExists && node.left.path.empty()) {
    const bool is_bound =
        node.left.source == Source::kRoot || node.left.source == Source::kPrevRoot;
    if (!is_bound) return Pushed::all(false);
    const bool holds = node.right.literal.view().get_bool() != negated;
    return holds ? Pushed::all(true) : Pushed::none();
  }
  if (!node.right.needs_document) return compare_field(node, negated);
  if (negated) return Pushed::all(false);
  return compare_with_field(node);
}

Pushed QueryMaker::compare_field(const ExpressionNode& node, bool negated) {
  const auto field = field_name(node.left);
  if (!field) return Pushed::all(false);
  Resolved scratch;
  const Resolved& right = bound_.right_of(node, {}, scratch);
  if (right.state == Resolved::State::kPending) return Pushed::all(false);
  if (right.state == Resolved::State::kFailed) return Pushed::none();
  if (right.state == Resolved::State::kMissing) {
    const bool holds = (node.op == CompareOp::kNe || node.op == CompareOp::kNin) != negated;
    return holds ? Pushed::all(true) : Pushed::none();
  }
  const bson::ValueView value = right.view();
  const bool is_list =
      node.op == CompareOp::kIn || node.op == CompareOp::kNin || node.op == CompareOp::kAll;
  // Without a list there is nothing to be in or out of: false either way.
  if (is_list && value.type() != bson::Type::kArray) {
    return negated ? Pushed::all(true) : Pushed::none();
  }
  const CompareOp op = negated ? opposite(node.op) : node.op;
  const bool is_expansion =
      node.right.kind == Operand::Kind::kReference || node.right.kind == Operand::Kind::kFunction;
  switch (op) {
    case CompareOp::kEq:
    case CompareOp::kNe:
      return equality(*field, value, is_expansion, op == CompareOp::kNe);
    case CompareOp::kIn:
    case CompareOp::kNin:
      return membership(*field, value, op == CompareOp::kNin);
    case CompareOp::kAll: {
      Pushed pushed = all_members(*field, value);
      return negated ? negation(std::move(pushed)) : pushed;
    }
    case CompareOp::kExists:
      return condition(*field, "$exists", bson::Value::of(value.get_bool() != negated), true);
    default: {
      if (!is_plain(value)) return Pushed::all(false);
      Pushed pushed = condition(*field, order_operator(op), value, true);
      return negated ? negation(std::move(pushed)) : pushed;
    }
  }
}

// {"%%user.id": "%%root.owner"} and {"%%user.id": {"$in": "%%root.members"}}.
Pushed QueryMaker::compare_with_field(const ExpressionNode& node) {
  const bool is_possible = (node.op == CompareOp::kEq || node.op == CompareOp::kIn) &&
                           !node.left.needs_document() &&
                           node.right.kind == Operand::Kind::kReference;
  if (!is_possible) return Pushed::all(false);
  const auto field = field_name(node.right.reference);
  if (!field) return Pushed::all(false);
  const Resolved left = bound_.resolve_reference(node.left, {});
  if (left.state != Resolved::State::kValue) return Pushed::none();
  if (!is_plain(left.view())) return Pushed::all(false);
  const bool exact = node.op == CompareOp::kEq && node.right.reference.path.size() == 1;
  return condition(*field, "$eq", left.view(), exact);
}

bson::Document BoundExpression::to_query(bool* exact) {
  const Pushed pushed = QueryMaker(*this).make();
  *exact = pushed.exact;
  return pushed.to_query();
}

}  // namespace restitch::rules
