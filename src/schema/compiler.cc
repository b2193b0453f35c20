#include "schema/compiler.h"

#include <algorithm>
#include <array>
#include <utility>

namespace restitch::schema {
namespace {

using app::Node;

constexpr std::array<std::string_view, 42> kKeywords = {"bsonType",
                                                        "type",
                                                        "enum",
                                                        "const",
                                                        "title",
                                                        "description",
                                                        "default",
                                                        "required",
                                                        "properties",
                                                        "minProperties",
                                                        "maxProperties",
                                                        "patternProperties",
                                                        "additionalProperties",
                                                        "propertyNames",
                                                        "dependencies",
                                                        "items",
                                                        "additionalItems",
                                                        "minItems",
                                                        "maxItems",
                                                        "uniqueItems",
                                                        "contains",
                                                        "minLength",
                                                        "maxLength",
                                                        "pattern",
                                                        "multipleOf",
                                                        "maximum",
                                                        "exclusiveMaximum",
                                                        "minimum",
                                                        "exclusiveMinimum",
                                                        "allOf",
                                                        "anyOf",
                                                        "oneOf",
                                                        "not",
                                                        "if",
                                                        "then",
                                                        "else",
                                                        "validate",
                                                        "$schema",
                                                        "id",
                                                        "$id",
                                                        "$comment",
                                                        "examples"};

// Where in the document a schema applies; only the root and properties have one name for it.
struct Place {
  std::vector<std::string> path;
  bool is_named = true;

  Place below(std::string_view name) const {
    Place place = *this;
    place.path.emplace_back(name);
    return place;
  }
  Place unnamed() const { return {{}, false}; }
};

class Compiler {
 public:
  explicit Compiler(std::vector<ValidateExpression>& validates) : validates_(validates) {}

  CompiledPtr compile(const Node& node, const Place& place, bool is_element = false) {
    auto schema = std::make_unique<CompiledSchema>();
    if (!node.exists()) node.error("must be a schema object");
    if (!node.is_object()) return schema;
    node.warn_of_unknown_members(kKeywords);
    read_types(node, *schema);
    read_choices(node["enum"], *schema);
    schema->constant = bson::Value(node["const"].value());
    read_object(node, place, *schema);
    read_array(node, place, *schema);
    read_string(node, *schema);
    read_number(node, *schema);
    read_combinators(node, *schema);
    read_validate(node["validate"], place, is_element);
    return schema;
  }

 private:
  static bool has_any(const Node& node, std::initializer_list<std::string_view> names) {
    return std::any_of(names.begin(), names.end(),
                       [&](std::string_view name) { return node[name].exists(); });
  }

  // "string", or "[string null]" for a list.
  std::string read_names(const Node& node,
                         std::optional<TypeSet> (*types_of_name)(std::string_view),
                         TypeSet& types) {
    if (!node.exists()) return "undefined";
    std::string text;
    const auto add = [&](const Node& name_node) {
      const std::string name = name_node.required_text();
      if (name.empty()) return;
      if (!text.empty()) text.push_back(' ');
      text.append(name);
      if (const auto found = types_of_name(name)) {
        types |= *found;
      } else {
        name_node.error("unknown type '" + name + "'", "SchemaValidationFailed");
      }
    };
    if (node.value().type() == bson::Type::kArray) {
      node.each_element(add);
      if (text.empty()) node.error("must name a type");
      return "[" + text + "]";
    }
    add(node);
    return text;
  }

  void read_types(const Node& node, CompiledSchema& schema) {
    const Node type = node["type"];
    const Node bson_type = node["bsonType"];
    if (type.exists() && bson_type.exists()) {
      type.error("cannot be given together with bsonType", "SchemaValidationFailed");
    }
    const std::string expected_type = read_names(type, types_of_type, schema.types);
    const std::string expected_bson_type = read_names(bson_type, types_of_bson_type, schema.types);
    schema.expected = "type: " + expected_type + ", bsonType: " + expected_bson_type;
  }

  static void read_choices(const Node& node, CompiledSchema& schema) {
    if (!node.exists() || !node.is_array()) return;
    schema.has_choices = true;
    node.each_element([&](const Node& choice) { schema.choices.emplace_back(choice.value()); });
    if (schema.choices.empty()) node.error("must have at least one value");
  }

  static std::int64_t read_count(const Node& node, std::int64_t fallback) {
    const auto count = node.integer();
    if (!count) return fallback;
    if (*count < 0) node.error("must not be negative");
    return *count;
  }

  static std::optional<std::int64_t> read_limit(const Node& node) {
    if (!node.exists()) return std::nullopt;
    return read_count(node, 0);
  }

  // A boolean or a schema, as additionalProperties and additionalItems take.
  CompiledPtr read_additional(const Node& node, const Place& place, bool& is_allowed) {
    if (!node.exists()) return nullptr;
    if (const auto flag = node.value().as_bool()) {
      is_allowed = *flag;
      return nullptr;
    }
    if (node.value().type() != bson::Type::kObject) {
      node.error("must be a boolean or a schema object");
      return nullptr;
    }
    return compile(node, place);
  }

  CompiledPtr read_optional(const Node& node) {
    return node.exists() ? compile(node, Place{}.unnamed()) : nullptr;
  }

  void read_object(const Node& node, const Place& place, CompiledSchema& schema) {
    if (!has_any(node,
                 {"required", "properties", "minProperties", "maxProperties", "patternProperties",
                  "additionalProperties", "propertyNames", "dependencies"})) {
      return;
    }
    ObjectLimits& object = schema.object.emplace();
    node["properties"].each_member([&](std::string_view name, const Node& property) {
      object.properties.push_back({std::string(name), compile(property, place.below(name)), false});
    });
    read_required(node["required"], object);
    std::sort(object.properties.begin(), object.properties.end(),
              [](const Property& a, const Property& b) { return a.name < b.name; });
    object.required_count = static_cast<std::size_t>(
        std::count_if(object.properties.begin(), object.properties.end(),
                      [](const Property& property) { return property.is_required; }));
    read_patterns(node["patternProperties"], place, object);
    object.additional =
        read_additional(node["additionalProperties"], place.unnamed(), object.allows_additional);
    read_dependencies(node["dependencies"], place, object);
    object.names = read_optional(node["propertyNames"]);
    object.min_properties = read_count(node["minProperties"], 0);
    object.max_properties = read_limit(node["maxProperties"]);
  }

  // Names that `properties` lacks are legal: they ask for a field of any kind.
  static void read_required(const Node& node, ObjectLimits& object) {
    for (const std::string& name : node.texts()) {
      const auto known =
          std::find_if(object.properties.begin(), object.properties.end(),
                       [&](const Property& property) { return property.name == name; });
      if (known != object.properties.end()) {
        known->is_required = true;
      } else {
        object.properties.push_back({name, nullptr, true});
      }
    }
  }

  void read_patterns(const Node& node, const Place& place, ObjectLimits& object) {
    node.each_member([&](std::string_view pattern, const Node& property) {
      auto compiled = query::Regex::compile(pattern, "");
      auto schema = compile(property, place.unnamed());
      if (compiled) {
        object.patterns.push_back({std::move(*compiled), std::move(schema)});
      } else {
        property.error("is no valid regular expression: " + compiled.error().message());
      }
    });
  }

  void read_dependencies(const Node& node, const Place& place, ObjectLimits& object) {
    node.each_member([&](std::string_view name, const Node& member) {
      Dependency dependency{std::string(name), {}, nullptr};
      if (member.value().type() == bson::Type::kArray) {
        dependency.needed = member.texts();
      } else if (member.value().type() == bson::Type::kObject) {
        dependency.schema = compile(member, place.unnamed());
      } else {
        member.error("must be a list of names or a schema object");
      }
      object.dependencies.push_back(std::move(dependency));
    });
  }

  void read_array(const Node& node, const Place& place, CompiledSchema& schema) {
    if (!has_any(node,
                 {"items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains"})) {
      return;
    }
    ArrayLimits& array = schema.array.emplace();
    const Node items = node["items"];
    if (items.value().type() == bson::Type::kArray) {
      items.each_element([&](const Node& position) {
        array.positions.push_back(compile(position, place.unnamed()));
      });
      array.additional =
          read_additional(node["additionalItems"], place.unnamed(), array.allows_additional);
    } else if (items.exists()) {
      array.items = compile(items, place, true);
    }
    array.min_items = read_count(node["minItems"], 0);
    array.max_items = read_limit(node["maxItems"]);
    array.has_unique_items = node["uniqueItems"].flag();
    array.contained = read_optional(node["contains"]);
  }

  static void read_string(const Node& node, CompiledSchema& schema) {
    if (!has_any(node, {"minLength", "maxLength", "pattern"})) return;
    StringLimits& string = schema.string.emplace();
    string.min_length = read_count(node["minLength"], 0);
    string.max_length = read_limit(node["maxLength"]);
    const Node pattern = node["pattern"];
    if (!pattern.exists()) return;
    string.pattern_text = pattern.text();
    auto compiled = query::Regex::compile(string.pattern_text, "");
    if (compiled) {
      string.pattern = std::move(*compiled);
    } else {
      pattern.error("is no valid regular expression: " + compiled.error().message());
    }
  }

  static bson::Value read_bound(const Node& node) {
    if (!node.exists()) return {};
    if (node.value().is_number()) return bson::Value(node.value());
    node.error("must be a number");
    return {};
  }

  static void read_number(const Node& node, CompiledSchema& schema) {
    if (!has_any(node,
                 {"minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"})) {
      return;
    }
    NumberLimits& number = schema.number.emplace();
    number.minimum = read_bound(node["minimum"]);
    number.maximum = read_bound(node["maximum"]);
    number.multiple_of = read_bound(node["multipleOf"]);
    const auto divisor = number.multiple_of.view().as_double();
    if (divisor && !(*divisor > 0)) node["multipleOf"].error("must be above 0");
    number.is_minimum_exclusive = node["exclusiveMinimum"].flag();
    number.is_maximum_exclusive = node["exclusiveMaximum"].flag();
  }

  void read_list(const Node& node, std::vector<CompiledPtr>& out) {
    if (!node.exists() || !node.is_array()) return;
    node.each_element(
        [&](const Node& schema) { out.push_back(compile(schema, Place{}.unnamed())); });
    if (out.empty()) node.error("must have at least one schema");
  }

  void read_combinators(const Node& node, CompiledSchema& schema) {
    read_list(node["allOf"], schema.all_of);
    read_list(node["anyOf"], schema.any_of);
    read_list(node["oneOf"], schema.one_of);
    schema.negated = read_optional(node["not"]);
    schema.condition = read_optional(node["if"]);
    schema.consequence = read_optional(node["then"]);
    schema.alternative = read_optional(node["else"]);
  }

  void read_validate(const Node& node, const Place& place, bool is_element) {
    if (!node.exists()) return;
    const auto expression = node.expression();
    if (!expression) return;
    if (!place.is_named || is_element) {
      node.error("is only possible on the root and on properties", "SchemaValidationFailed");
      return;
    }
    validates_.push_back({place.path, *expression, node.pointer()});
  }

  std::vector<ValidateExpression>& validates_;
};

}  // namespace

CompiledPtr compile_schema(const Node& root, std::vector<ValidateExpression>& validates) {
  CompiledPtr schema = Compiler(validates).compile(root, {});
  if (schema->types != 0 && (schema->types & kObjectType) == 0) {
    root.error("the root must be an object schema", "SchemaValidationFailed");
  }
  return schema;
}

}  // namespace restitch::schema
