#include "datasource/embedded/filter_text.h"

#include <algorithm>

namespace restitch::datasource::embedded {

namespace {

using bson::Builder;
using bson::Document;
using query::FilterNode;
using query::FilterOp;

void append_node(Builder& out, const FilterNode& node);

Document document_of(const FilterNode& node) {
  Builder builder;
  append_node(builder, node);
  return std::move(builder).finish();
}

void append_list(Builder& out, const char* name, const FilterNode& node) {
  out.open_array(name);
  for (const auto& child : node.children) out.push(document_of(*child));
  out.close();
}

void append_in(Builder& out, const FilterNode& node) {
  out.open_array("$in");
  for (const bson::ValueView value : node.in_values) out.push(value);
  for (const bson::Element& element : node.operand.view().get_document()) {
    if (element.value.type() == bson::Type::kRegex) out.push(element.value);
  }
  out.close();
}

void append_regex(Builder& out, const FilterNode& node) {
  if (node.operand.type() != bson::Type::kRegex) {
    out.append("$regex", node.operand);
    return;
  }
  const bson::RegexView regex = node.operand.view().get_regex();
  out.append("$regex", regex.pattern);
  if (!regex.options.empty()) out.append("$options", regex.options);
}

void append_types(Builder& out, const FilterNode& node) {
  out.open_array("$type");
  if (node.any_number) out.push("number");
  for (const bson::Type type : node.types) {
    // MinKey's number is -1.
    const auto number = static_cast<std::int32_t>(type);
    out.push(type == bson::Type::kMinKey ? std::int32_t{-1} : number);
  }
  out.close();
}

const char* bit_operator(query::BitTest test) {
  switch (test) {
    case query::BitTest::kAllSet:
      return "$bitsAllSet";
    case query::BitTest::kAllClear:
      return "$bitsAllClear";
    case query::BitTest::kAnySet:
      return "$bitsAnySet";
    case query::BitTest::kAnyClear:
      return "$bitsAnyClear";
  }
  return "";
}

// The operators of a leaf, without its path.
void append_operators(Builder& out, const FilterNode& node) {
  switch (node.op) {
    case FilterOp::kEq:
      out.append("$eq", node.operand);
      return;
    case FilterOp::kGt:
      out.append("$gt", node.operand);
      return;
    case FilterOp::kGte:
      out.append("$gte", node.operand);
      return;
    case FilterOp::kLt:
      out.append("$lt", node.operand);
      return;
    case FilterOp::kLte:
      out.append("$lte", node.operand);
      return;
    case FilterOp::kIn:
      return append_in(out, node);
    case FilterOp::kExists:
      out.append("$exists", true);
      return;
    case FilterOp::kType:
      return append_types(out, node);
    case FilterOp::kRegex:
      return append_regex(out, node);
    case FilterOp::kMod:
      out.open_array("$mod").push(node.divisor).push(node.remainder).close();
      return;
    case FilterOp::kSize:
      out.append("$size", node.remainder);
      return;
    case FilterOp::kBits:
      out.open_array(bit_operator(node.bit_test));
      for (const std::uint32_t bit : node.bit_positions) out.push(static_cast<std::int64_t>(bit));
      out.close();
      return;
    case FilterOp::kElemMatchObject:
      out.append("$elemMatch", document_of(*node.children.front()));
      return;
    case FilterOp::kElemMatchValue:
      out.open_object("$elemMatch");
      append_operators(out, *node.children.front());
      out.close();
      return;
    case FilterOp::kNot:
      out.open_object("$not");
      append_operators(out, *node.children.front());
      out.close();
      return;
    default:  // several operators on the element itself
      for (const auto& child : node.children) append_operators(out, *child);
      return;
  }
}

void append_node(Builder& out, const FilterNode& node) {
  switch (node.op) {
    case FilterOp::kAlwaysTrue:
      return;
    case FilterOp::kAlwaysFalse:
      out.append("$alwaysFalse", std::int32_t{1});
      return;
    case FilterOp::kAnd:
      return append_list(out, "$and", node);
    case FilterOp::kOr:
      return append_list(out, "$or", node);
    case FilterOp::kNor:
      return append_list(out, "$nor", node);
    case FilterOp::kExpr:
      out.append("$expr", node.operand);
      return;
    case FilterOp::kJsonSchema:
      out.append("$jsonSchema", node.operand);
      return;
    case FilterOp::kSampleRate:
      out.append("$sampleRate", node.sample_rate);
      return;
    case FilterOp::kNot: {
      const FilterNode& child = *node.children.front();
      if (child.path.empty()) return append_list(out, "$nor", node);
      out.open_object(child.path).open_object("$not");
      append_operators(out, child);
      out.close().close();
      return;
    }
    default:
      if (node.path.empty()) return append_operators(out, node);
      out.open_object(node.path);
      append_operators(out, node);
      out.close();
  }
}

bool is_decided(const FilterNode& node, const std::vector<const FilterNode*>& decided) {
  // A negated predicate is known by the predicate.
  const FilterNode* wanted = node.op == FilterOp::kNot ? node.children.front().get() : &node;
  return std::find(decided.begin(), decided.end(), wanted) != decided.end();
}

}  // namespace

Document normalized_filter(const query::Filter& filter) { return document_of(filter.root()); }

Document residual_filter(const query::Filter& filter,
                         const std::vector<const FilterNode*>& decided) {
  const FilterNode& root = filter.root();
  if (root.op != FilterOp::kAnd) {
    return is_decided(root, decided) ? Document() : document_of(root);
  }
  std::vector<const FilterNode*> left;
  for (const auto& child : root.children) {
    if (!is_decided(*child, decided)) left.push_back(child.get());
  }
  if (left.size() == 1) return document_of(*left.front());
  Builder builder;
  if (!left.empty()) {
    builder.open_array("$and");
    for (const FilterNode* node : left) builder.push(document_of(*node));
    builder.close();
  }
  return std::move(builder).finish();
}

}  // namespace restitch::datasource::embedded
