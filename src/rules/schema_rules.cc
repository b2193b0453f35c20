#include "rules/schema_rules.h"

#include <algorithm>
#include <span>
#include <utility>

#include "query/path.h"

namespace restitch::rules {
namespace {

struct ValidatorWalk {
  BoundExpression& bound;
  Documents documents;

  // A validator of a property below an array holds for every element.
  bool holds(bson::ValueView current, bson::ValueView previous, std::span<const std::string> path) {
    if (current.type() == bson::Type::kArray && !path.empty()) {
      const bson::View old = previous.as_array().value_or(bson::View());
      auto before = old.begin();
      for (const bson::Element& element : current.get_document()) {
        bson::ValueView pair;
        if (before != old.end()) {
          pair = before->value;
          ++before;
        }
        if (!holds(element.value, pair, path)) return false;
      }
      return true;
    }
    if (path.empty()) {
      documents.current = current;
      documents.previous = previous;
      return bound.evaluate(documents) == Truth::kTrue;
    }
    return holds(member(current, path.front()), member(previous, path.front()), path.subspan(1));
  }

  static bson::ValueView member(bson::ValueView value, const std::string& name) {
    const auto object = value.as_object();
    return object ? object->find(name) : bson::ValueView();
  }
};

bson::ValueView as_value(const std::optional<bson::View>& document) {
  if (!document) return {};
  return {bson::Type::kObject, document->data(), document->size()};
}

bool is_previous(const Reference& reference) {
  return reference.source == Source::kPrev || reference.source == Source::kPrevRoot;
}

bool names_previous(const Operand& operand) {
  if (operand.kind == Operand::Kind::kReference) return is_previous(operand.reference);
  return std::any_of(operand.items.begin(), operand.items.end(),
                     [](const Operand& item) { return names_previous(item); });
}

bool names_previous(const ExpressionNode& node) {
  if (node.kind == ExpressionNode::Kind::kCompare) {
    return is_previous(node.left) || names_previous(node.right);
  }
  return std::any_of(node.children.begin(), node.children.end(),
                     [](const ExpressionNode& child) { return names_previous(child); });
}

schema::Violation violation_at(const std::vector<std::string>& path) {
  std::string name;
  for (const std::string& component : path) {
    if (!name.empty()) name.push_back('.');
    name += component;
  }
  return {name.empty() ? "(root)" : name, "false", "the validate expression is false"};
}

}  // namespace

std::shared_ptr<const SchemaRules> SchemaRules::compile(const schema::Schema& schema,
                                                        const std::string& file,
                                                        const std::string& pointer,
                                                        app::Findings& findings) {
  auto rules = std::make_shared<SchemaRules>();
  bool has_failed = false;
  for (const schema::ValidateExpression& validate : schema.validate_expressions()) {
    auto compiled = compile_expression(validate.expression, Place::kSchemaValidate, file,
                                       pointer + validate.pointer, findings);
    has_failed |= compiled == nullptr;
    const bool looks_back = compiled != nullptr && names_previous(compiled->program().root);
    rules->validators_.push_back({validate.path, std::move(compiled), looks_back});
  }
  if (has_failed) return nullptr;
  return rules;
}

BoundSchemaRules::BoundSchemaRules(const SchemaRules& rules, const EvaluationContext& context,
                                   FunctionResults& functions)
    : rules_(rules) {
  bound_.reserve(rules.validators().size());
  for (const SchemaRules::Validator& validator : rules.validators()) {
    bound_.emplace_back(validator.expression->program(), context, &functions);
  }
}

bool BoundSchemaRules::holds(std::size_t index, bson::View after,
                             std::optional<bson::View> before) {
  ValidatorWalk walk{bound_[index], {}};
  walk.documents.root = after;
  walk.documents.prev_root = before;
  return walk.holds(as_value(after), as_value(before), rules_.validators()[index].path);
}

std::vector<schema::Violation> BoundSchemaRules::check(bson::View after,
                                                       std::optional<bson::View> before) {
  std::vector<schema::Violation> violations;
  for (std::size_t i = 0; i < bound_.size(); ++i) {
    if (!holds(i, after, before)) violations.push_back(violation_at(rules_.validators()[i].path));
  }
  return violations;
}

std::vector<schema::Violation> BoundSchemaRules::check_deletion(bson::View document) {
  std::vector<schema::Violation> violations;
  for (std::size_t i = 0; i < bound_.size(); ++i) {
    const SchemaRules::Validator& validator = rules_.validators()[i];
    if (!validator.names_previous || holds(i, document, document)) continue;
    violations.push_back(violation_at(validator.path));
  }
  return violations;
}

}  // namespace restitch::rules
