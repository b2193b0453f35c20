#include <utility>

#include "rules/expression/parser.h"

namespace restitch::rules {
namespace {

constexpr const char* kCode = "BadRequest";

bool is_allowed(const Reference& reference, Place place) {
  if (!reference.needs_document()) return true;
  if (place == Place::kFilter || place == Place::kFunction) return false;
  const bool is_field = reference.source == Source::kThis || reference.source == Source::kPrev;
  return !is_field || place == Place::kField || place == Place::kSchemaValidate;
}

class OperandParser {
 public:
  OperandParser(const ParsePlace& place, int& slots) : place_(place), slots_(slots) {}

  std::optional<Operand> parse(bson::ValueView value, const std::string& pointer) {
    if (value.type() == bson::Type::kObject) return parse_object(value, pointer);
    if (value.type() == bson::Type::kArray) return parse_list(value, pointer);
    const auto text = value.as_string();
    if (text && text->starts_with("%%")) return parse_expansion_text(*text, pointer);
    return literal(value);
  }

 private:
  std::nullopt_t fail(const std::string& pointer, const std::string& message) {
    place_.findings.error(place_.file, pointer, kCode, "error validating rule: " + message);
    return std::nullopt;
  }

  static Operand literal(bson::ValueView value) {
    Operand operand;
    operand.literal = bson::Value(value);
    return operand;
  }

  // Gives a slot to what is fixed for a request.
  Operand finish(Operand operand) {
    for (const Operand& item : operand.items) {
      operand.needs_document |= item.needs_document;
      operand.calls_functions |= item.calls_functions;
    }
    if (!operand.needs_document) operand.slot = slots_++;
    return operand;
  }

  std::optional<Operand> parse_expansion_text(std::string_view text, const std::string& pointer) {
    auto reference = parse_expansion(text);
    if (!reference || !is_allowed(*reference, place_.place)) {
      return fail(pointer, "do not know how to expand '" + std::string(text) + "'");
    }
    if (reference->path.empty() && reference->source == Source::kTrue) {
      return literal(bson::Value::of(true));
    }
    if (reference->path.empty() && reference->source == Source::kFalse) {
      return literal(bson::Value::of(false));
    }
    Operand operand;
    operand.kind = Operand::Kind::kReference;
    operand.reference = std::move(*reference);
    operand.needs_document = operand.reference.needs_document();
    return finish(std::move(operand));
  }

  std::optional<Operand> parse_object(bson::ValueView value, const std::string& pointer) {
    const bson::View object = value.get_document();
    if (!object.empty()) {
      const bson::Element first = *object.begin();
      if (conversion_from_name(first.name)) return parse_conversion(object, pointer);
      if (first.name == "%function") return parse_function(object, pointer);
      if (first.name.starts_with('%')) {
        return fail(below(pointer, first.name),
                    "unknown operator '" + std::string(first.name) + "'");
      }
    }
    Operand operand;
    operand.kind = Operand::Kind::kObject;
    for (const bson::Element& element : object) {
      auto item = parse(element.value, below(pointer, element.name));
      if (!item) return std::nullopt;
      operand.names.emplace_back(element.name);
      operand.items.push_back(std::move(*item));
    }
    return folded(std::move(operand), value);
  }

  std::optional<Operand> parse_list(bson::ValueView value, const std::string& pointer) {
    Operand operand;
    operand.kind = Operand::Kind::kList;
    for (const bson::Element& element : value.get_document()) {
      auto item = parse(element.value, below(pointer, element.name));
      if (!item) return std::nullopt;
      operand.items.push_back(std::move(*item));
    }
    return folded(std::move(operand), value);
  }

  // A composite of nothing but literals is one literal.
  Operand folded(Operand operand, bson::ValueView value) {
    bool is_literal = true;
    for (std::size_t i = 0; i < operand.items.size(); ++i) {
      is_literal &= operand.items[i].kind == Operand::Kind::kLiteral;
    }
    if (!is_literal) return finish(std::move(operand));
    bson::Builder builder;
    for (std::size_t i = 0; i < operand.items.size(); ++i) {
      if (operand.kind == Operand::Kind::kList) {
        builder.push(operand.items[i].literal.view());
      } else {
        builder.append(operand.names[i], operand.items[i].literal.view());
      }
    }
    bson::Document document = std::move(builder).finish();
    Operand made;
    made.literal = value.type() == bson::Type::kArray ? bson::Value::array(std::move(document))
                                                      : bson::Value::of(std::move(document));
    return made;
  }

  std::optional<Operand> parse_conversion(bson::View object, const std::string& pointer) {
    const bson::Element element = *object.begin();
    const std::string name(element.name);
    if (object.count() != 1) return fail(pointer, name + " must stand alone");
    const bson::Type type = element.value.type();
    if (type == bson::Type::kObject || type == bson::Type::kArray) {
      return fail(below(pointer, name), name + " takes a literal or an expansion");
    }
    auto inner = parse(element.value, below(pointer, name));
    if (!inner) return std::nullopt;
    const Conversion conversion = *conversion_from_name(name);
    if (inner->kind == Operand::Kind::kLiteral) {
      auto converted = convert(conversion, inner->literal);
      if (converted) return literal(*converted);
      place_.findings.warning(place_.file, below(pointer, name), kCode,
                              "the operand of " + name + " cannot be converted");
    }
    Operand operand;
    operand.kind = Operand::Kind::kConversion;
    operand.conversion = conversion;
    operand.items.push_back(std::move(*inner));
    return finish(std::move(operand));
  }

  std::optional<Operand> parse_function(bson::View object, const std::string& pointer) {
    const std::string at = below(pointer, "%function");
    if (object.count() != 1) return fail(pointer, "%function must stand alone");
    const auto call = object.find("%function").as_object();
    if (!call) return fail(at, "%function takes an object");
    const auto name = call->find("name").as_string();
    if (!name || name->empty()) return fail(at, "%function needs a name");
    Operand operand;
    operand.kind = Operand::Kind::kFunction;
    operand.name = std::string(*name);
    operand.calls_functions = true;
    const bson::ValueView arguments = call->find("arguments");
    if (!arguments.is_nullish() && !arguments.as_array()) {
      return fail(below(at, "arguments"), "the arguments of %function must be an array");
    }
    if (arguments.as_array()) {
      for (const bson::Element& element : arguments.get_document()) {
        auto item = parse(element.value, below(below(at, "arguments"), element.name));
        if (!item) return std::nullopt;
        operand.items.push_back(std::move(*item));
      }
    }
    return finish(std::move(operand));
  }

  const ParsePlace& place_;
  int& slots_;
};

}  // namespace

std::optional<Operand> parse_operand(bson::ValueView value, const std::string& pointer,
                                     const ParsePlace& place, int& slots) {
  return OperandParser(place, slots).parse(value, pointer);
}

std::string below(const std::string& pointer, std::string_view name) {
  std::string result = pointer + "/";
  for (const char c : name) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result.push_back(c);
    }
  }
  return result;
}

}  // namespace restitch::rules
