#include "query/expression/nodes.h"

#include <unordered_set>

#include "bson/extended_json.h"

namespace restitch::query {
namespace {

using bson::Value;
using bson::ValueView;

class ObjectNode final : public CompositeNode {
 public:
  ObjectNode(std::vector<std::string> names, std::vector<ExpressionPtr> values)
      : CompositeNode(std::move(values)), names_(std::move(names)) {}

  Result<Value> evaluate(EvalContext& context) const override {
    bson::Builder builder;
    HeldBytes held(context, "an object expression");
    for (std::size_t i = 0; i < names_.size(); ++i) {
      Value storage;
      RESTITCH_TRY(const ValueView value, operand(i).peek(context, storage));
      builder.append(names_[i], value);
      RESTITCH_CHECK(held.set(builder.size()));
    }
    return Value::of(std::move(builder).finish());
  }

 private:
  std::vector<std::string> names_;
};

class ArrayNode final : public CompositeNode {
 public:
  using CompositeNode::CompositeNode;

  Result<Value> evaluate(EvalContext& context) const override {
    bson::Builder builder;
    HeldBytes held(context, "an array expression");
    for (const ExpressionPtr& element : operands()) {
      Value storage;
      RESTITCH_TRY(const ValueView value, element->peek(context, storage));
      if (value.is_missing()) {
        builder.push(bson::Null{});
      } else {
        builder.push(value);
      }
      RESTITCH_CHECK(held.set(builder.size()));
    }
    return Value::array(std::move(builder).finish());
  }
};

Status check_member_name(std::string_view name) {
  if (name.empty()) return mongo_error(15998, "FieldPath field names may not be empty strings.");
  if (name.front() == '$') {
    return mongo_error(16410,
                       "FieldPath field names may not start with '$'. Consider using "
                       "$getField or $setField.");
  }
  if (name.find('.') != std::string_view::npos) {
    return mongo_error(16412,
                       "FieldPath field names may not contain '.'. Consider using "
                       "$getField or $setField.");
  }
  return {};
}

}  // namespace

Result<ValueView> Expression::peek(EvalContext& context, Value& storage) const {
  RESTITCH_TRY(storage, evaluate(context));
  return storage.view();
}

Result<Value> Expression::evaluate(bson::View document, const CommandContext& context) const {
  std::vector<Value> variables;
  EvalContext evaluation{context, document, variables, std::nullopt};
  return evaluate(evaluation);
}

void CompositeNode::add_dependencies(std::set<std::string>& fields) const {
  for (const ExpressionPtr& operand : operands_) {
    if (operand) operand->add_dependencies(fields);
  }
}

bool CompositeNode::is_constant() const {
  for (const ExpressionPtr& operand : operands_) {
    if (operand && !operand->constant()) return false;
  }
  return true;
}

Result<ExpressionPtr> fold(std::shared_ptr<const CompositeNode> node,
                           const CommandContext& context) {
  if (!node->is_constant()) return ExpressionPtr(std::move(node));
  std::vector<Value> variables;
  EvalContext evaluation{context, bson::View(), variables, std::nullopt};
  RESTITCH_TRY(Value value, node->evaluate(evaluation));
  // A small specification may stand for a large value; many of those must not pile up in a compiled
  // pipeline.
  constexpr std::size_t kMostKept = 64 * 1024;
  if (value.view().raw().size() > kMostKept) return ExpressionPtr(std::move(node));
  return make_constant(std::move(value));
}

Result<ExpressionPtr> compile_object(bson::View spec, const ExpressionCompiler& compiler) {
  std::vector<std::string> names;
  std::vector<ExpressionPtr> values;
  std::unordered_set<std::string_view> seen;
  for (const bson::Element& element : spec) {
    RESTITCH_CHECK(check_member_name(element.name));
    if (!seen.insert(element.name).second) {
      return mongo_error(
          16406, "duplicate field name specified in object literal: " + bson::to_shell(spec));
    }
    RESTITCH_TRY(ExpressionPtr value, compiler.compile(element.value));
    names.emplace_back(element.name);
    values.push_back(std::move(value));
  }
  return make_folded<ObjectNode>(compiler.context, std::move(names), std::move(values));
}

Result<ExpressionPtr> compile_array(bson::View spec, const ExpressionCompiler& compiler) {
  std::vector<ExpressionPtr> elements;
  for (const bson::Element& element : spec) {
    RESTITCH_TRY(ExpressionPtr value, compiler.compile(element.value));
    elements.push_back(std::move(value));
  }
  return make_folded<ArrayNode>(compiler.context, std::move(elements));
}

}  // namespace restitch::query
