#include <algorithm>
#include <array>

#include "bson/decimal.h"
#include "query/element_text.h"
#include "query/filter/schema_node.h"

namespace restitch::query {
namespace {

std::string keyword_text(std::string_view keyword) {
  return "$jsonSchema keyword '" + std::string(keyword) + "'";
}

Error wrong_type(std::string_view keyword, std::string_view expected) {
  return mongo_error(14, keyword_text(keyword) + " must be " + std::string(expected));
}

Error failed(std::string_view keyword, std::string_view rest) {
  return mongo_error(9, keyword_text(keyword) + std::string(rest));
}

std::optional<bson::Type> json_type(std::string_view name) {
  if (name == "array") return bson::Type::kArray;
  if (name == "boolean") return bson::Type::kBool;
  if (name == "null") return bson::Type::kNull;
  if (name == "object") return bson::Type::kObject;
  if (name == "string") return bson::Type::kString;
  return std::nullopt;
}

Result<bson::View> object_operand(const bson::Element& element) {
  const auto object = element.value.as_object();
  if (!object) return wrong_type(element.name, "an object");
  return *object;
}

Result<bson::View> array_operand(const bson::Element& element) {
  const auto array = element.value.as_array();
  if (!array) return wrong_type(element.name, "an array");
  return *array;
}

Result<bool> bool_operand(const bson::Element& element) {
  const auto flag = element.value.as_bool();
  if (!flag) return wrong_type(element.name, "a boolean");
  return *flag;
}

Result<std::int64_t> count_operand(const bson::Element& element) {
  if (!element.value.is_number()) return wrong_type(element.name, "a number");
  const auto count = element.value.as_integer();
  const std::string text = element_text(element);
  if (!count) return mongo_error(9, "Expected an integer: " + text);
  if (*count < 0) return mongo_error(9, "Expected a non-negative number in: " + text);
  return *count;
}

// Distinct strings.
Result<std::vector<std::string>> names_operand(std::string_view keyword, bson::View array) {
  std::vector<std::string> names;
  for (const bson::Element& item : array) {
    const auto name = item.value.as_string();
    if (!name) {
      return mongo_error(14, keyword_text(keyword) +
                                 " must be an array of strings, but found an "
                                 "element of type: " +
                                 std::string(bson::alias_of(item.value.type())));
    }
    if (std::find(names.begin(), names.end(), *name) != names.end()) {
      return failed(keyword, " array cannot contain duplicate values");
    }
    names.emplace_back(*name);
  }
  if (names.empty()) return failed(keyword, " cannot be an empty array");
  return names;
}

Result<SchemaNodePtr> nested_schema(std::string_view keyword, std::string_view property,
                                    bson::ValueView value) {
  const auto object = value.as_object();
  if (!object) {
    return mongo_error(14, "Nested schema for " + keyword_text(keyword) + ", property '" +
                               std::string(property) + "' must be an object");
  }
  return parse_schema(*object);
}

class SchemaParser {
 public:
  explicit SchemaParser(bson::View schema)
      : schema_(schema), node_(std::make_unique<SchemaNode>()) {
    node_->source = bson::Document(schema);
  }

  Result<SchemaNodePtr> parse() {
    if (schema_.contains("type") && schema_.contains("bsonType")) {
      return mongo_error(9, "Cannot specify both $jsonSchema keywords 'type' and 'bsonType'");
    }
    for (const bson::Element& element : schema_) RESTITCH_CHECK(read(element));
    RESTITCH_CHECK(check_companions());
    for (const SchemaRule& rule : schema_rules()) {
      if (rule.is_present(*node_)) node_->rules.push_back(&rule);
    }
    return std::move(node_);
  }

 private:
  using Reader = Status (SchemaParser::*)(const bson::Element&);
  struct Keyword {
    std::string_view name;
    Reader read;
  };

  Status read(const bson::Element& element) {
    static constexpr std::array<Keyword, 31> kKeywords = {{
        {"type", &SchemaParser::read_type},
        {"bsonType", &SchemaParser::read_type},
        {"enum", &SchemaParser::read_enum},
        {"title", &SchemaParser::read_annotation},
        {"description", &SchemaParser::read_annotation},
        {"properties", &SchemaParser::read_properties},
        {"patternProperties", &SchemaParser::read_pattern_properties},
        {"additionalProperties", &SchemaParser::read_rest},
        {"additionalItems", &SchemaParser::read_rest},
        {"required", &SchemaParser::read_required},
        {"dependencies", &SchemaParser::read_dependencies},
        {"minProperties", &SchemaParser::read_count},
        {"maxProperties", &SchemaParser::read_count},
        {"minItems", &SchemaParser::read_count},
        {"maxItems", &SchemaParser::read_count},
        {"minLength", &SchemaParser::read_count},
        {"maxLength", &SchemaParser::read_count},
        {"items", &SchemaParser::read_items},
        {"uniqueItems", &SchemaParser::read_unique_items},
        {"minimum", &SchemaParser::read_number},
        {"maximum", &SchemaParser::read_number},
        {"exclusiveMinimum", &SchemaParser::read_exclusive},
        {"exclusiveMaximum", &SchemaParser::read_exclusive},
        {"multipleOf", &SchemaParser::read_multiple_of},
        {"pattern", &SchemaParser::read_pattern},
        {"allOf", &SchemaParser::read_branches},
        {"anyOf", &SchemaParser::read_branches},
        {"oneOf", &SchemaParser::read_branches},
        {"not", &SchemaParser::read_not},
        {"encrypt", &SchemaParser::read_encrypt},
        {"encryptMetadata", &SchemaParser::read_encrypt_metadata},
    }};
    static constexpr std::array<std::string_view, 6> kUnsupported = {
        "$ref", "$schema", "default", "definitions", "format", "id"};
    for (const Keyword& keyword : kKeywords) {
      if (keyword.name == element.name) return (this->*keyword.read)(element);
    }
    if (std::find(kUnsupported.begin(), kUnsupported.end(), element.name) != kUnsupported.end()) {
      return failed(element.name, " is not currently supported");
    }
    return mongo_error(9, "Unknown $jsonSchema keyword: " + std::string(element.name));
  }

  Status check_companions() const {
    if (schema_.contains("exclusiveMinimum") && node_->minimum.is_missing()) {
      return failed("minimum", " must be a present if exclusiveMinimum is present");
    }
    if (schema_.contains("exclusiveMaximum") && node_->maximum.is_missing()) {
      return failed("maximum", " must be a present if exclusiveMaximum is present");
    }
    if (node_->encrypted && node_->types) {
      return mongo_error(9, "$jsonSchema keyword 'encrypt' cannot be used in conjunction with '" +
                                std::string(node_->types->keyword) + "'");
    }
    return {};
  }

  Status read_annotation(const bson::Element& element) {
    if (element.value.as_string()) return {};
    return wrong_type(element.name, "of type string");
  }

  Status read_type(const bson::Element& element) {
    const bool is_bson = element.name == "bsonType";
    node_->types.emplace();
    node_->types->keyword = is_bson ? "bsonType" : "type";
    if (const auto name = element.value.as_string()) return add_type(*name, is_bson);
    const auto list = element.value.as_array();
    if (!list) return wrong_type(element.name, "either a string or an array of strings");
    if (list->empty()) return failed(element.name, " must name at least one type");
    std::vector<std::string_view> seen;
    for (const bson::Element& item : *list) {
      const auto name = item.value.as_string();
      if (!name) return wrong_type(element.name, "either a string or an array of strings");
      if (std::find(seen.begin(), seen.end(), *name) != seen.end()) {
        return failed(element.name, " has duplicate value: " + std::string(*name));
      }
      seen.push_back(*name);
      RESTITCH_CHECK(add_type(*name, is_bson));
    }
    return {};
  }

  Status add_type(std::string_view name, bool is_bson) {
    if (name == "number") {
      node_->types->any_number = true;
      return {};
    }
    if (!is_bson && name == "integer") {
      return mongo_error(9, "$jsonSchema type 'integer' is not currently supported.");
    }
    const auto type = is_bson ? bson::type_from_alias(name) : json_type(name);
    if (!type) return mongo_error(2, "Unknown type name alias: " + std::string(name));
    node_->types->types.push_back(*type);
    return {};
  }

  Status read_enum(const bson::Element& element) {
    RESTITCH_TRY(const bson::View array, array_operand(element));
    if (array.empty()) return failed("enum", " cannot be an empty array");
    for (auto a = array.begin(); a != array.end(); ++a) {
      for (auto b = std::next(a); b != array.end(); ++b) {
        if (unordered_equal(a->value, b->value)) {
          return failed("enum", " array cannot contain duplicate values.");
        }
      }
    }
    return {};
  }

  Status read_properties(const bson::Element& element) {
    RESTITCH_TRY(const bson::View properties, object_operand(element));
    for (const bson::Element& property : properties) {
      RESTITCH_TRY(SchemaNodePtr schema,
                   nested_schema("properties", property.name, property.value));
      node_->properties.push_back({std::string(property.name), std::move(schema)});
    }
    return {};
  }

  Status read_pattern_properties(const bson::Element& element) {
    RESTITCH_TRY(const bson::View properties, object_operand(element));
    for (const bson::Element& property : properties) {
      RESTITCH_TRY(Regex regex, Regex::compile(property.name, ""));
      RESTITCH_TRY(SchemaNodePtr schema,
                   nested_schema("patternProperties", property.name, property.value));
      node_->pattern_properties.push_back(
          {std::string(property.name), std::move(regex), std::move(schema)});
    }
    return {};
  }

  Status read_rest(const bson::Element& element) {
    SchemaRest& rest =
        element.name == "additionalItems" ? node_->additional_items : node_->additional_properties;
    if (const auto allowed = element.value.as_bool()) {
      rest.forbidden = !*allowed;
      return {};
    }
    const auto schema = element.value.as_object();
    if (!schema) return wrong_type(element.name, "either an object or a boolean");
    RESTITCH_TRY(rest.schema, parse_schema(*schema));
    return {};
  }

  Status read_required(const bson::Element& element) {
    RESTITCH_TRY(const bson::View array, array_operand(element));
    RESTITCH_TRY(node_->required, names_operand("required", array));
    return {};
  }

  Status read_dependencies(const bson::Element& element) {
    RESTITCH_TRY(const bson::View dependencies, object_operand(element));
    for (const bson::Element& item : dependencies) {
      SchemaDependency dependency;
      dependency.name = item.name;
      if (const auto array = item.value.as_array()) {
        RESTITCH_TRY(dependency.properties, names_operand("dependencies", *array));
      } else if (const auto object = item.value.as_object()) {
        RESTITCH_TRY(dependency.schema, parse_schema(*object));
      } else {
        return mongo_error(14, "property '" + std::string(item.name) + "' in " +
                                   keyword_text("dependencies") +
                                   " must be either an object or an array");
      }
      node_->dependencies.push_back(std::move(dependency));
    }
    return {};
  }

  Status read_count(const bson::Element& element) {
    RESTITCH_TRY(const std::int64_t count, count_operand(element));
    const std::string_view name = element.name;
    if (name == "minProperties") node_->min_properties = count;
    if (name == "maxProperties") node_->max_properties = count;
    if (name == "minItems") node_->min_items = count;
    if (name == "maxItems") node_->max_items = count;
    if (name == "minLength") node_->min_length = count;
    if (name == "maxLength") node_->max_length = count;
    return {};
  }

  Status read_items(const bson::Element& element) {
    if (const auto object = element.value.as_object()) {
      RESTITCH_TRY(node_->items, parse_schema(*object));
      return {};
    }
    const auto array = element.value.as_array();
    if (!array) return wrong_type("items", "an array or an object");
    node_->has_item_tuple = true;
    for (const bson::Element& item : *array) {
      const auto schema = item.value.as_object();
      if (!schema) {
        return mongo_error(14, keyword_text("items") +
                                   " requires that each element of the array is an object, but "
                                   "found a " +
                                   std::string(bson::alias_of(item.value.type())));
      }
      RESTITCH_TRY(SchemaNodePtr node, parse_schema(*schema));
      node_->item_tuple.push_back(std::move(node));
    }
    return {};
  }

  Status read_unique_items(const bson::Element& element) {
    RESTITCH_TRY(node_->unique_items, bool_operand(element));
    return {};
  }

  Status read_number(const bson::Element& element) {
    if (!element.value.is_number()) return wrong_type(element.name, "a number");
    (element.name == "minimum" ? node_->minimum : node_->maximum) = bson::Value(element.value);
    return {};
  }

  Status read_exclusive(const bson::Element& element) {
    RESTITCH_TRY(const bool exclusive, bool_operand(element));
    (element.name == "exclusiveMinimum" ? node_->exclusive_minimum : node_->exclusive_maximum) =
        exclusive;
    return {};
  }

  Status read_multiple_of(const bson::Element& element) {
    const auto number = element.value.as_double();
    if (!number) return wrong_type("multipleOf", "a number");
    if (!(*number > 0)) return failed("multipleOf", " must have a positive value");
    node_->multiple_of = bson::Value(element.value);
    return {};
  }

  Status read_pattern(const bson::Element& element) {
    const auto pattern = element.value.as_string();
    if (!pattern) return wrong_type("pattern", "a string");
    RESTITCH_TRY(node_->pattern, Regex::compile(*pattern, ""));
    return {};
  }

  Status read_branches(const bson::Element& element) {
    RESTITCH_TRY(const bson::View array, array_operand(element));
    if (array.empty()) {
      return mongo_error(2, keyword_text(element.name) + " must be a non-empty array");
    }
    std::vector<SchemaNodePtr>& branches = element.name == "allOf"   ? node_->all_of
                                           : element.name == "anyOf" ? node_->any_of
                                                                     : node_->one_of;
    for (const bson::Element& item : array) {
      const auto schema = item.value.as_object();
      if (!schema) {
        return mongo_error(14, keyword_text(element.name) +
                                   " must be an array of objects, but found an element of type " +
                                   std::string(bson::alias_of(item.value.type())));
      }
      RESTITCH_TRY(SchemaNodePtr branch, parse_schema(*schema));
      branches.push_back(std::move(branch));
    }
    return {};
  }

  Status read_not(const bson::Element& element) {
    RESTITCH_TRY(const bson::View schema, object_operand(element));
    RESTITCH_TRY(node_->negated, parse_schema(schema));
    return {};
  }

  Status read_encrypt(const bson::Element& element) {
    RESTITCH_TRY(const bson::View options, object_operand(element));
    node_->encrypted = true;
    const bson::ValueView type = options["bsonType"];
    if (type.is_missing()) return {};
    std::vector<std::string_view> names;
    if (const auto name = type.as_string()) names.push_back(*name);
    if (const auto list = type.as_array()) {
      for (const bson::Element& item : *list) names.push_back(item.value.as_string().value_or(""));
    }
    for (const std::string_view name : names) {
      const auto known = bson::type_from_alias(name);
      if (!known) return mongo_error(2, "Unknown type name alias: " + std::string(name));
      node_->encrypted_types.push_back(*known);
    }
    if (node_->encrypted_types.empty()) {
      return wrong_type("bsonType", "either a string or an array of strings");
    }
    return {};
  }

  Status read_encrypt_metadata(const bson::Element& element) {
    RESTITCH_CHECK(object_operand(element));
    return {};
  }

  bson::View schema_;
  SchemaNodePtr node_;
};

}  // namespace

Result<SchemaNodePtr> parse_schema(bson::View schema) { return SchemaParser(schema).parse(); }

}  // namespace restitch::query
