// Why a document does not match a filter, as the `errInfo.details` of a failed validation tells it.

#include <array>

#include "query/filter/filter.h"
#include "query/filter/json_schema.h"
#include "query/filter/matcher.h"

namespace restitch::query {
namespace {

struct Wording {
  FilterOp op;
  std::string_view name;
  std::string_view failed;
  std::string_view succeeded;  // under $not
};
constexpr std::array<Wording, 12> kWordings = {{
    {FilterOp::kEq, "$eq", "comparison failed", "comparison succeeded"},
    {FilterOp::kGt, "$gt", "comparison failed", "comparison succeeded"},
    {FilterOp::kGte, "$gte", "comparison failed", "comparison succeeded"},
    {FilterOp::kLt, "$lt", "comparison failed", "comparison succeeded"},
    {FilterOp::kLte, "$lte", "comparison failed", "comparison succeeded"},
    {FilterOp::kIn, "$in", "no matching value found in array", "matching value found in array"},
    {FilterOp::kExists, "$exists", "path does not exist", "path does exist"},
    {FilterOp::kType, "$type", "type did not match", "type did match"},
    {FilterOp::kMod, "$mod", "$mod did not evaluate to expected remainder",
     "$mod did evaluate to expected remainder"},
    {FilterOp::kRegex, "$regex", "regular expression did not match",
     "regular expression did match"},
    {FilterOp::kSize, "$size", "array length was not equal to given size",
     "array length was equal to given size"},
    {FilterOp::kElemMatchObject, "$elemMatch", "array did not satisfy the child predicate",
     "array did satisfy the child predicate"},
}};

constexpr std::array<std::string_view, 4> kBitNames = {"$bitsAllSet", "$bitsAllClear",
                                                       "$bitsAnySet", "$bitsAnyClear"};

Wording wording_of(const FilterNode& node) {
  if (node.op == FilterOp::kBits) {
    return {node.op, kBitNames[static_cast<std::size_t>(node.bit_test)],
            "bitwise operator failed to match", "bitwise operator matched successfully"};
  }
  const FilterOp op = node.op == FilterOp::kElemMatchValue ? FilterOp::kElemMatchObject : node.op;
  for (const Wording& wording : kWordings) {
    if (wording.op == op) return wording;
  }
  return {node.op, "$alwaysFalse", "expression always evaluates to false", ""};
}

class FilterExplainer {
 public:
  FilterExplainer(const CommandContext& context, bson::View document)
      : context_(context), document_(document) {}

  // Members of one details object. `inverted`: the node matches, and that is the fault.
  void explain(const FilterNode& node, bool inverted, bson::Builder& out) const {
    switch (node.op) {
      case FilterOp::kAnd:
        return clauses("$and", node, inverted, out);
      case FilterOp::kOr:
        return clauses("$or", node, inverted, out);
      case FilterOp::kNor:
        return clauses("$nor", node, !inverted, out);
      case FilterOp::kNot:
        return negation(*node.children.front(), inverted, out);
      case FilterOp::kJsonSchema:
        return json_schema(node, inverted, out);
      case FilterOp::kExpr:
        return expression(node, inverted, out);
      default:
        return leaf(node, inverted, out);
    }
  }

 private:
  bool matches(const FilterNode& node) const {
    return Matcher(context_, nullptr, nullptr).document(node, document_);
  }

  void clauses(std::string_view name, const FilterNode& node, bool satisfied,
               bson::Builder& out) const {
    out.append("operatorName", name);
    out.open_array(satisfied ? "clausesSatisfied" : "clausesNotSatisfied");
    std::int32_t index = 0;
    for (const auto& child : node.children) {
      if (matches(*child) == satisfied) {
        out.push_object().append("index", index).open_object("details");
        explain(*child, satisfied, out);
        out.close().close();
      }
      ++index;
    }
    out.close();
  }

  void negation(const FilterNode& child, bool inverted, bson::Builder& out) const {
    if (child.op == FilterOp::kEq || child.op == FilterOp::kIn) {
      const std::string_view name = child.op == FilterOp::kEq ? "$ne" : "$nin";
      return leaf_named(child, name, !inverted, out);
    }
    out.append("operatorName", "$not");
    out.open_object("details");
    explain(child, !inverted, out);
    out.close();
  }

  void json_schema(const FilterNode& node, bool inverted, bson::Builder& out) const {
    if (!inverted) {
      out.append_all(node.schema->explain_mismatch(document_));
      return;
    }
    out.append("operatorName", "$jsonSchema");
    out.open_object("specifiedAs").append("$jsonSchema", node.operand).close();
    out.append("reason", "schema matched");
  }

  static void expression(const FilterNode& node, bool inverted, bson::Builder& out) {
    out.append("operatorName", "$expr");
    out.open_object("specifiedAs").append("$expr", node.operand).close();
    out.append("reason", inverted ? "expression did match" : "expression did not match");
    out.append("expressionResult", inverted);
  }

  void leaf(const FilterNode& node, bool inverted, bson::Builder& out) const {
    leaf_named(node, wording_of(node).name, inverted, out);
  }

  void leaf_named(const FilterNode& node, std::string_view name, bool inverted,
                  bson::Builder& out) const {
    const Wording wording = wording_of(node);
    out.append("operatorName", name);
    out.open_object("specifiedAs").open_object(node.path);
    if (node.op == FilterOp::kExists) {
      out.append(name, !inverted);
    } else {
      out.append(name, node.operand);
    }
    out.close().close();
    const bson::ValueView value = document_.find_path(node.path);
    if (value.is_missing() && !inverted && node.op != FilterOp::kExists) {
      out.append("reason", "field was missing");
      return;
    }
    out.append("reason", inverted ? wording.succeeded : wording.failed);
    if (node.op == FilterOp::kExists) return;
    out.append("consideredValue", value);
    if (node.op == FilterOp::kType) out.append("consideredType", bson::alias_of(value.type()));
  }

  const CommandContext& context_;
  bson::View document_;
};

}  // namespace

bson::Document Filter::explain_mismatch(bson::View document) const {
  bson::Builder out;
  FilterExplainer(*context_, document).explain(*root_, false, out);
  return std::move(out).finish();
}

}  // namespace restitch::query
