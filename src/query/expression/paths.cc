#include <algorithm>
#include <array>

#include "query/expression/nodes.h"
#include "query/field_path.h"
#include "query/path.h"

namespace restitch::query {
namespace {

using bson::Value;
using bson::ValueView;

// Objects only: true with the value (perhaps missing) in `found`, false when an array stands in the
// way.
bool walk_objects(ValueView at, std::span<const std::string> components, ValueView& found) {
  for (const std::string& component : components) {
    if (at.type() == bson::Type::kArray) return false;
    if (at.type() != bson::Type::kObject) {
      found = {};
      return true;
    }
    at = at.get_document().find(component);
  }
  found = at;
  return true;
}

ValueView root_value(bson::View view) { return {bson::Type::kObject, view.data(), view.size()}; }

class PathNode : public Expression {
 public:
  explicit PathNode(std::vector<std::string> components) : components_(std::move(components)) {}

  Result<Value> evaluate(EvalContext& context) const override {
    Value storage;
    RESTITCH_TRY(const ValueView start, base(context, storage));
    return value_at(start, components_);
  }

  Result<ValueView> peek(EvalContext& context, Value& storage) const override {
    Value base_storage;
    RESTITCH_TRY(const ValueView start, base(context, base_storage));
    ValueView found;
    if (base_storage.is_missing() && walk_objects(start, components_, found)) return found;
    storage = value_at(start, components_);
    return storage.view();
  }

 protected:
  const std::vector<std::string>& components() const { return components_; }
  virtual Result<ValueView> base(EvalContext& context, Value& storage) const = 0;

 private:
  std::vector<std::string> components_;
};

// "$a.b": relative to $$CURRENT.
class FieldPathNode final : public PathNode {
 public:
  using PathNode::PathNode;

  void add_dependencies(std::set<std::string>& fields) const override {
    fields.insert(components().empty() ? std::string() : components().front());
  }

 protected:
  Result<ValueView> base(EvalContext& context, Value&) const override {
    return context.current ? *context.current : root_value(context.root);
  }
};

class RootPathNode final : public PathNode {
 public:
  using PathNode::PathNode;

  void add_dependencies(std::set<std::string>& fields) const override {
    fields.insert(components().empty() ? std::string() : components().front());
  }

 protected:
  Result<ValueView> base(EvalContext& context, Value&) const override {
    return root_value(context.root);
  }
};

class VariableNode final : public PathNode {
 public:
  VariableNode(std::size_t slot, std::vector<std::string> components)
      : PathNode(std::move(components)), slot_(slot) {}

  void add_dependencies(std::set<std::string>&) const override {}

 protected:
  Result<ValueView> base(EvalContext& context, Value& storage) const override {
    if (context.variables.size() <= slot_) return ValueView();
    const Value& value = context.variables[slot_];
    // Bytes on the heap stay where they are when the vector of variables grows; inline ones do not.
    if (value.view().raw().size() >= sizeof(std::string)) return value.view();
    storage = value;
    return storage.view();
  }

 private:
  std::size_t slot_;
};

enum class SystemVariable : std::uint8_t { kNow, kClusterTime };

class SystemVariableNode final : public PathNode {
 public:
  SystemVariableNode(SystemVariable variable, std::vector<std::string> components)
      : PathNode(std::move(components)), variable_(variable) {}

  void add_dependencies(std::set<std::string>&) const override {}

 protected:
  Result<ValueView> base(EvalContext& context, Value& storage) const override {
    if (variable_ == SystemVariable::kNow) {
      storage = Value::of(context.command.now);
    } else if (context.command.cluster_time == bson::Timestamp{}) {
      return mongo_error(51144, "Builtin variable '$$CLUSTER_TIME' is not available");
    } else {
      storage = Value::of(context.command.cluster_time);
    }
    return storage.view();
  }

 private:
  SystemVariable variable_;
};

// What $redact's expression may answer.
constexpr std::array<std::string_view, 3> kRedactAnswers = {"DESCEND", "PRUNE", "KEEP"};

Result<ExpressionPtr> compile_variable(std::string_view name, std::vector<std::string> components,
                                       const ExpressionCompiler& compiler) {
  if (const auto slot = compiler.scope.find(name)) {
    return ExpressionPtr(std::make_shared<VariableNode>(*slot, std::move(components)));
  }
  const ValueView constant = compiler.context.let.find(name);
  if (!constant.is_missing()) return make_constant(value_at(constant, components));
  if (name == "ROOT") return ExpressionPtr(std::make_shared<RootPathNode>(std::move(components)));
  if (name == "CURRENT") {
    return ExpressionPtr(std::make_shared<FieldPathNode>(std::move(components)));
  }
  if (name == "REMOVE") return make_constant(Value());
  if (name == "NOW" || name == "CLUSTER_TIME") {
    const auto variable = name == "NOW" ? SystemVariable::kNow : SystemVariable::kClusterTime;
    return ExpressionPtr(std::make_shared<SystemVariableNode>(variable, std::move(components)));
  }
  if (name == "USER_ROLES") return make_constant(Value::array(bson::View()));
  if (std::find(kRedactAnswers.begin(), kRedactAnswers.end(), name) != kRedactAnswers.end()) {
    return make_constant(Value::of(name == "DESCEND" ? "descend"
                                   : name == "PRUNE" ? "prune"
                                                     : "keep"));
  }
  return mongo_error(17276, "Use of undefined variable: " + std::string(name));
}

}  // namespace

Value value_at(ValueView value, std::span<const std::string> components) {
  ValueView found;
  if (walk_objects(value, components, found)) return Value(found);
  // An array stands on the way: find it again, then map the rest over its elements.
  while (value.type() == bson::Type::kObject) {
    value = value.get_document().find(components.front());
    components = components.subspan(1);
  }
  bson::Builder builder;
  for (const bson::Element& element : value.get_document()) {
    if (element.value.type() != bson::Type::kObject && element.value.type() != bson::Type::kArray) {
      continue;
    }
    const Value mapped = value_at(element.value, components);
    if (!mapped.is_missing()) builder.push(mapped);
  }
  return Value::array(std::move(builder).finish());
}

Result<ExpressionPtr> compile_path(std::string_view text, const ExpressionCompiler& compiler) {
  if (text.substr(0, 2) != "$$") {
    if (text.size() == 1) return mongo_error(16872, "'$' by itself is not a valid FieldPath");
    const std::string_view path = text.substr(1);
    RESTITCH_CHECK(check_field_path(path));
    // A user may bind $$CURRENT anew; plain paths follow it.
    if (const auto slot = compiler.scope.find("CURRENT")) {
      return ExpressionPtr(std::make_shared<VariableNode>(*slot, split_path(path)));
    }
    return ExpressionPtr(std::make_shared<FieldPathNode>(split_path(path)));
  }
  const std::string_view path = text.substr(2);
  if (path.empty()) return mongo_error(9, "empty variable names are not allowed");
  RESTITCH_CHECK(check_field_path(path));
  std::vector<std::string> components = split_path(path);
  const std::string name = std::move(components.front());
  components.erase(components.begin());
  return compile_variable(name, std::move(components), compiler);
}

}  // namespace restitch::query
