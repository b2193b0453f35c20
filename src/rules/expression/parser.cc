#include "rules/expression/parser.h"

#include <algorithm>
#include <array>
#include <utility>

namespace restitch::rules {
namespace {

constexpr const char* kCode = "BadRequest";

enum class Logic : std::uint8_t { kAnd, kOr, kNor, kNot };

// Both spellings of an operator: "%and" and "$and".
std::optional<std::string_view> operator_name(std::string_view key) {
  if (key.size() < 2 || (key[0] != '%' && key[0] != '$') || key[1] == '%') return std::nullopt;
  return key.substr(1);
}

std::optional<Logic> logic_from_name(std::string_view name) {
  if (name == "and") return Logic::kAnd;
  if (name == "or") return Logic::kOr;
  if (name == "nor") return Logic::kNor;
  if (name == "not") return Logic::kNot;
  return std::nullopt;
}

std::optional<CompareOp> compare_from_name(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, CompareOp>, 10> kOps{{
      {"eq", CompareOp::kEq},
      {"ne", CompareOp::kNe},
      {"gt", CompareOp::kGt},
      {"gte", CompareOp::kGte},
      {"lt", CompareOp::kLt},
      {"lte", CompareOp::kLte},
      {"in", CompareOp::kIn},
      {"nin", CompareOp::kNin},
      {"all", CompareOp::kAll},
      {"exists", CompareOp::kExists},
  }};
  for (const auto& [known, op] : kOps) {
    if (known == name) return op;
  }
  return std::nullopt;
}

// Keys that are legal field names but occur in real configurations only by mistake.
bool is_suspicious(std::string_view key) {
  static constexpr std::array<std::string_view, 13> kWords{"!=",        "=",     "==",   ">",
                                                           ">=",        "<",     "<=",   "anyOf",
                                                           "allOf",     "oneOf", "enum", "bsonType",
                                                           "apply_when"};
  return std::find(kWords.begin(), kWords.end(), key) != kWords.end();
}

// Whether an object on the right names members that must hold, instead of being compared as a
// whole.
bool takes_pattern(const Reference& left) {
  if (!left.needs_document()) return true;
  return left.path.empty() && (left.source == Source::kRoot || left.source == Source::kPrevRoot);
}

class ExpressionParser {
 public:
  explicit ExpressionParser(const ParsePlace& place) : place_(place) {}

  std::optional<ExpressionNode> parse(bson::ValueView value, const std::string& pointer) {
    if (const auto constant = value.as_bool()) return constant_node(*constant);
    const auto object = value.as_object();
    if (!object) return fail(pointer, "an expression must be true, false or an object");
    std::vector<ExpressionNode> parts;
    for (const bson::Element& element : *object) {
      auto part = parse_member(element, below(pointer, element.name));
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    }
    return join(ExpressionNode::Kind::kAnd, std::move(parts));
  }

  int nodes() const { return nodes_; }
  int slots() const { return slots_; }
  int left_slots() const { return left_slots_; }

 private:
  std::nullopt_t fail(const std::string& pointer, const std::string& message) {
    place_.findings.error(place_.file, pointer, kCode, "error validating rule: " + message);
    return std::nullopt;
  }

  void warn(const std::string& pointer, const std::string& message) {
    place_.findings.warning(place_.file, pointer, kCode, message);
  }

  ExpressionNode constant_node(bool value) {
    ExpressionNode node;
    node.constant = value;
    node.index = nodes_++;
    return node;
  }

  // Folds constants and single children.
  ExpressionNode join(ExpressionNode::Kind kind, std::vector<ExpressionNode> parts) {
    const bool neutral = kind == ExpressionNode::Kind::kAnd;
    ExpressionNode node;
    node.kind = kind;
    for (ExpressionNode& part : parts) {
      if (part.kind == ExpressionNode::Kind::kConstant) {
        if (part.constant == neutral) continue;
        return std::move(part);
      }
      node.needs_document |= part.needs_document;
      node.calls_functions |= part.calls_functions;
      node.children.push_back(std::move(part));
    }
    if (node.children.empty()) return constant_node(neutral);
    if (node.children.size() == 1) {
      ExpressionNode only = std::move(node.children.front());
      return only;
    }
    node.index = nodes_++;
    return node;
  }

  ExpressionNode negate(ExpressionNode inner) {
    if (inner.kind == ExpressionNode::Kind::kConstant) {
      inner.constant = !inner.constant;
      return inner;
    }
    ExpressionNode node;
    node.kind = ExpressionNode::Kind::kNot;
    node.needs_document = inner.needs_document;
    node.calls_functions = inner.calls_functions;
    node.children.push_back(std::move(inner));
    node.index = nodes_++;
    return node;
  }

  // One member of an expression object.
  std::optional<ExpressionNode> parse_member(const bson::Element& element,
                                             const std::string& pointer) {
    const std::string_view key = element.name;
    if (key.starts_with("%%")) return parse_expansion_key(key, element.value, pointer);
    if (const auto name = operator_name(key)) {
      if (const auto logic = logic_from_name(*name)) {
        return parse_logic(*logic, element.value, pointer, nullptr);
      }
      if (key == "%function") {
        bson::Builder builder;
        builder.append(key, element.value);
        const bson::Value call = bson::Value::of(std::move(builder).finish());
        return compare(Reference{Source::kTrue, {}}, CompareOp::kEq, call, pointer);
      }
      return fail(pointer, "unknown operator '" + std::string(key) + "'");
    }
    return parse_field_key(key, element.value, pointer);
  }

  std::optional<ExpressionNode> parse_expansion_key(std::string_view key, bson::ValueView value,
                                                    const std::string& pointer) {
    // The operand parser knows which expansions are allowed here.
    int unused = 0;
    const bson::Value text = bson::Value::of(key);
    if (!parse_operand(text, pointer, place_, unused)) return std::nullopt;
    return parse_condition(*parse_expansion(key), value, pointer);
  }

  std::optional<ExpressionNode> parse_field_key(std::string_view key, bson::ValueView value,
                                                const std::string& pointer) {
    if (place_.place == Place::kFilter) {
      return fail(pointer,
                  "a filter's apply_when cannot refer to the field '" + std::string(key) + "'");
    }
    if (place_.place == Place::kFunction) {
      warn(pointer, "there is no document here that could have a field '" + std::string(key) + "'");
    }
    if (is_suspicious(key)) {
      warn(pointer,
           "'" + std::string(key) + "' is taken as the name of a field; this is hardly meant");
    }
    auto path = parse_field_path(key);
    if (!path) {
      warn(pointer, "'" + std::string(key) + "' is no field path; this part is never true");
      return constant_node(false);
    }
    return parse_condition(*path, value, pointer);
  }

  // What must hold for the value of `left`.
  std::optional<ExpressionNode> parse_condition(const Reference& left, bson::ValueView value,
                                                const std::string& pointer) {
    const auto object = value.as_object();
    if (!object || object->empty()) return compare(left, CompareOp::kEq, value, pointer);
    const std::string_view first = object->begin()->name;
    if (first == "%function" || conversion_from_name(first)) {
      return compare(left, CompareOp::kEq, value, pointer);
    }
    if (operator_name(first)) return parse_operators(left, *object, pointer);
    if (left.source == Source::kTrue || left.source == Source::kFalse) {
      return parse_truth(left, value, pointer);
    }
    if (!takes_pattern(left)) return compare(left, CompareOp::kEq, value, pointer);
    return parse_pattern(left, *object, pointer);
  }

  std::optional<ExpressionNode> parse_truth(const Reference& left, bson::ValueView value,
                                            const std::string& pointer) {
    auto inner = parse(value, pointer);
    if (!inner) return std::nullopt;
    if (left.source == Source::kTrue) return inner;
    return negate(std::move(*inner));
  }

  std::optional<ExpressionNode> parse_pattern(const Reference& left, bson::View pattern,
                                              const std::string& pointer) {
    std::vector<ExpressionNode> parts;
    for (const bson::Element& element : pattern) {
      const std::string at = below(pointer, element.name);
      auto path = parse_field_path(element.name);
      if (!path) {
        warn(at, "'" + std::string(element.name) + "' is no field path; this part is never true");
        return constant_node(false);
      }
      Reference member = left;
      member.path.insert(member.path.end(), path->path.begin(), path->path.end());
      auto part = parse_condition(member, element.value, at);
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    }
    return join(ExpressionNode::Kind::kAnd, std::move(parts));
  }

  // {"$gt": 0, "%lte": 42, "%not": {…}} for the value of `left`.
  std::optional<ExpressionNode> parse_operators(const Reference& left, bson::View object,
                                                const std::string& pointer) {
    std::vector<ExpressionNode> parts;
    for (const bson::Element& element : object) {
      const std::string at = below(pointer, element.name);
      auto part = parse_operator(left, element, at);
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    }
    return join(ExpressionNode::Kind::kAnd, std::move(parts));
  }

  std::optional<ExpressionNode> parse_operator(const Reference& left, const bson::Element& element,
                                               const std::string& pointer) {
    const auto name = operator_name(element.name);
    if (name) {
      if (const auto logic = logic_from_name(*name)) {
        return parse_logic_of_value(*logic, left, element.value, pointer);
      }
      const auto op = compare_from_name(*name);
      if (op == CompareOp::kExists) return parse_exists(left, element.value, pointer);
      if (op) return compare(left, *op, element.value, pointer);
      if (element.name == "%function" || conversion_from_name(element.name)) {
        return fail(pointer, std::string(element.name) + " must stand alone");
      }
    }
    return fail(pointer, "unknown operator '" + std::string(element.name) + "'");
  }

  // A negative constant on the left turns the logic around: {"%%false": X} holds when X is false.
  std::optional<ExpressionNode> parse_logic_of_value(Logic logic, const Reference& left,
                                                     bson::ValueView value,
                                                     const std::string& pointer) {
    if (left.source != Source::kFalse) return parse_logic(logic, value, pointer, &left);
    const Reference positive{Source::kTrue, {}};
    auto inner = parse_logic(logic, value, pointer, &positive);
    if (!inner) return std::nullopt;
    return negate(std::move(*inner));
  }

  // The operands are expressions or, when `left` is given, conditions on it.
  std::optional<ExpressionNode> parse_logic(Logic logic, bson::ValueView value,
                                            const std::string& pointer, const Reference* left) {
    if (logic == Logic::kNot) {
      auto inner = left != nullptr ? parse_condition(*left, value, pointer) : parse(value, pointer);
      if (!inner) return std::nullopt;
      return negate(std::move(*inner));
    }
    const auto list = value.as_array();
    if (!list) return fail(pointer, "a logical operator takes an array of expressions");
    std::vector<ExpressionNode> parts;
    for (const bson::Element& element : *list) {
      const std::string at = below(pointer, element.name);
      auto part =
          left != nullptr ? parse_condition(*left, element.value, at) : parse(element.value, at);
      if (!part) return std::nullopt;
      parts.push_back(std::move(*part));
    }
    if (logic == Logic::kAnd) return join(ExpressionNode::Kind::kAnd, std::move(parts));
    ExpressionNode any = join(ExpressionNode::Kind::kOr, std::move(parts));
    if (logic == Logic::kOr) return any;
    return negate(std::move(any));
  }

  std::optional<ExpressionNode> parse_exists(const Reference& left, bson::ValueView value,
                                             const std::string& pointer) {
    bool wanted = false;
    if (value.as_bool() || value.is_number()) {
      wanted = value.truthy();
    } else if (value.as_string() == "%%true" || value.as_string() == "%%false") {
      wanted = value.get_string() == "%%true";
    } else {
      return fail(pointer, "%exists takes true or false");
    }
    return compare(left, CompareOp::kExists, bson::Value::of(wanted), pointer);
  }

  std::optional<ExpressionNode> compare(Reference left, CompareOp op, bson::ValueView value,
                                        const std::string& pointer) {
    auto right = parse_operand(value, pointer, place_, slots_);
    if (!right) return std::nullopt;
    ExpressionNode node;
    node.kind = ExpressionNode::Kind::kCompare;
    node.op = op;
    node.left = std::move(left);
    node.right = std::move(*right);
    node.needs_document = node.left.needs_document() || node.right.needs_document;
    node.calls_functions = node.right.calls_functions;
    return folded(std::move(node));
  }

  // {"%%true": true} and the like depend on nothing.
  ExpressionNode folded(ExpressionNode node) {
    const bool is_constant =
        (node.left.source == Source::kTrue || node.left.source == Source::kFalse) &&
        node.left.path.empty() && node.op == CompareOp::kEq &&
        node.right.kind == Operand::Kind::kLiteral;
    if (!is_constant) {
      node.index = nodes_++;
      if (!node.left.needs_document()) node.left_slot = left_slots_++;
      return node;
    }
    const bool wanted = node.left.source == Source::kTrue;
    return constant_node(node.right.literal.view().as_bool() == wanted);
  }

  const ParsePlace& place_;
  int nodes_ = 0;
  int slots_ = 0;
  int left_slots_ = 0;
};

}  // namespace

std::optional<ExpressionProgram> parse_expression(bson::ValueView expression,
                                                  const std::string& pointer,
                                                  const ParsePlace& place) {
  ExpressionParser parser(place);
  auto root = parser.parse(expression, pointer);
  if (!root) return std::nullopt;
  ExpressionProgram program;
  program.root = std::move(*root);
  program.node_count = parser.nodes();
  program.slot_count = parser.slots();
  program.left_slot_count = parser.left_slots();
  program.is_literally_true = expression.as_bool() == true;
  return program;
}

}  // namespace restitch::rules
