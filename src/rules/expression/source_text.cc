#include "rules/expression/source_text.h"

#include <utility>

namespace restitch::rules {
namespace {

const char* name_of(Conversion conversion) {
  switch (conversion) {
    case Conversion::kStringToOid:
      return "%stringToOid";
    case Conversion::kOidToString:
      return "%oidToString";
    case Conversion::kStringToUuid:
      return "%stringToUuid";
    case Conversion::kUuidToString:
      return "%uuidToString";
  }
  return "";
}

const char* name_of(CompareOp op) {
  switch (op) {
    case CompareOp::kEq:
      return "%eq";
    case CompareOp::kNe:
      return "%ne";
    case CompareOp::kGt:
      return "%gt";
    case CompareOp::kGte:
      return "%gte";
    case CompareOp::kLt:
      return "%lt";
    case CompareOp::kLte:
      return "%lte";
    case CompareOp::kIn:
      return "%in";
    case CompareOp::kNin:
      return "%nin";
    case CompareOp::kAll:
      return "%all";
    case CompareOp::kExists:
      return "%exists";
  }
  return "";
}

bson::Value one(std::string_view name, const bson::Value& value) {
  return bson::Value::of(bson::make_document(name, value));
}

bson::Document list_of(const std::vector<Operand>& items) {
  bson::Builder list;
  for (const Operand& item : items) list.push(to_source(item).view());
  return std::move(list).finish();
}

}  // namespace

bson::Value to_source(const Operand& operand) {
  switch (operand.kind) {
    case Operand::Kind::kLiteral:
      return operand.literal;
    case Operand::Kind::kReference:
      return bson::Value::of(to_text(operand.reference));
    case Operand::Kind::kConversion:
      return one(name_of(operand.conversion), to_source(operand.items.front()));
    case Operand::Kind::kFunction: {
      bson::Builder call;
      call.append("name", operand.name);
      if (!operand.items.empty()) call.append_array("arguments", list_of(operand.items));
      return one("%function", bson::Value::of(std::move(call).finish()));
    }
    case Operand::Kind::kList:
      return bson::Value::array(list_of(operand.items));
    case Operand::Kind::kObject: {
      bson::Builder object;
      for (std::size_t i = 0; i < operand.items.size(); ++i) {
        object.append(operand.names[i], to_source(operand.items[i]));
      }
      return bson::Value::of(std::move(object).finish());
    }
  }
  return {};
}

bson::Value to_source(const ExpressionNode& node) {
  switch (node.kind) {
    case ExpressionNode::Kind::kConstant:
      return bson::Value::of(node.constant);
    case ExpressionNode::Kind::kNot:
      return one("%not", to_source(node.children.front()));
    case ExpressionNode::Kind::kAnd:
    case ExpressionNode::Kind::kOr: {
      bson::Builder list;
      for (const ExpressionNode& child : node.children) list.push(to_source(child).view());
      const bool is_and = node.kind == ExpressionNode::Kind::kAnd;
      return one(is_and ? "%and" : "%or", bson::Value::array(std::move(list).finish()));
    }
    case ExpressionNode::Kind::kCompare: {
      bson::Value right = to_source(node.right);
      if (node.op != CompareOp::kEq) right = one(name_of(node.op), right);
      return one(left_text(node.left), right);
    }
  }
  return {};
}

std::string left_text(const Reference& reference) {
  std::string text = to_text(reference);
  constexpr std::string_view kRoot = "%%root.";
  return text.starts_with(kRoot) ? text.substr(kRoot.size()) : text;
}

}  // namespace restitch::rules
