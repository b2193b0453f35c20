// What each $jsonSchema keyword demands, and how its failure is reported.

#include <algorithm>

#include "bson/compare.h"
#include "bson/decimal.h"
#include "query/expression/numbers.h"
#include "query/filter/schema_node.h"
#include "query/path.h"

namespace restitch::query {
namespace {

constexpr std::string_view kComparisonFailed = "comparison failed";
constexpr std::uint8_t kEncryptedSubtype = 6;

bool is_object(bson::ValueView value) { return value.type() == bson::Type::kObject; }
bool is_array(bson::ValueView value) { return value.type() == bson::Type::kArray; }

// {keyword: operand}, with the companion keyword where there is one.
void append_specified(const SchemaNode& node, std::string_view keyword, bson::Builder& out,
                      std::string_view companion = {}) {
  out.open_object("specifiedAs");
  out.append(keyword, node.source[keyword]);
  if (!companion.empty()) out.append(companion, node.source[companion]);
  out.close();
}

void append_reason(std::string_view reason, bson::ValueView value, bson::Builder& out) {
  out.append("reason", reason);
  out.append("consideredValue", value);
}

void append_details(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  out.open_array("details");
  explain_schema(node, value, out);
  out.close();
}

std::int64_t code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

// --- type, enum, encryption ---

bool type_ok(const SchemaNode& node, bson::ValueView value) {
  return node.types->contains(value.type());
}
void explain_type(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, node.types->keyword, out);
  append_reason("type did not match", value, out);
  out.append("consideredType", bson::alias_of(value.type()));
}

bool enum_ok(const SchemaNode& node, bson::ValueView value) {
  for (const bson::Element& allowed : node.source["enum"].get_document()) {
    if (unordered_equal(allowed.value, value)) return true;
  }
  return false;
}
void explain_enum(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "enum", out);
  append_reason("value was not found in enum", value, out);
}

bool encrypt_ok(const SchemaNode& node, bson::ValueView value) {
  // Blob kind (1 byte), key id (16), BSON type of the plain value (1), ciphertext.
  constexpr std::size_t kTypeOffset = 17;
  if (value.type() != bson::Type::kBinary) return false;
  const bson::BinaryView binary = value.get_binary();
  if (binary.subtype != kEncryptedSubtype) return false;
  if (node.encrypted_types.empty()) return true;
  if (binary.bytes.size() <= kTypeOffset) return false;
  const auto type = static_cast<bson::Type>(static_cast<std::uint8_t>(binary.bytes[kTypeOffset]));
  return std::find(node.encrypted_types.begin(), node.encrypted_types.end(), type) !=
         node.encrypted_types.end();
}
void explain_encrypt(const SchemaNode&, bson::ValueView, bson::Builder& out) {
  out.append("reason", "value was not encrypted");
}

// --- numbers ---

bool minimum_ok(const SchemaNode& node, bson::ValueView value) {
  if (!value.is_number()) return true;
  const int order = bson::compare(value, node.minimum);
  return node.exclusive_minimum ? order > 0 : order >= 0;
}
void explain_minimum(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "minimum", out, "exclusiveMinimum");
  append_reason(kComparisonFailed, value, out);
}

bool maximum_ok(const SchemaNode& node, bson::ValueView value) {
  if (!value.is_number()) return true;
  const int order = bson::compare(value, node.maximum);
  return node.exclusive_maximum ? order < 0 : order <= 0;
}
void explain_maximum(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "maximum", out, "exclusiveMaximum");
  append_reason(kComparisonFailed, value, out);
}

bool multiple_of_ok(const SchemaNode& node, bson::ValueView value) {
  if (!value.is_number()) return true;
  const bson::Decimal128 rest =
      bson::decimal_modulo(decimal_of(value), decimal_of(node.multiple_of));
  return bson::decimal_is_zero(rest);
}
void explain_multiple_of(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "multipleOf", out);
  append_reason("considered value is not a multiple of the specified value", value, out);
}

// --- strings ---

bool min_length_ok(const SchemaNode& node, bson::ValueView value) {
  const auto text = value.as_string();
  return !text || code_points(*text) >= *node.min_length;
}
bool max_length_ok(const SchemaNode& node, bson::ValueView value) {
  const auto text = value.as_string();
  return !text || code_points(*text) <= *node.max_length;
}
void explain_min_length(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "minLength", out);
  append_reason("specified string length was not satisfied", value, out);
}
void explain_max_length(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "maxLength", out);
  append_reason("specified string length was not satisfied", value, out);
}

bool pattern_ok(const SchemaNode& node, bson::ValueView value) {
  const auto text = value.as_string();
  return !text || node.pattern->matches(*text);
}
void explain_pattern(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "pattern", out);
  append_reason("regular expression did not match", value, out);
}

// --- arrays ---

std::int64_t size_of(bson::ValueView container) {
  return static_cast<std::int64_t>(container.get_document().count());
}

bool min_items_ok(const SchemaNode& node, bson::ValueView value) {
  return !is_array(value) || size_of(value) >= *node.min_items;
}
bool max_items_ok(const SchemaNode& node, bson::ValueView value) {
  return !is_array(value) || size_of(value) <= *node.max_items;
}
void explain_min_items(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "minItems", out);
  append_reason("array did not match specified length", value, out);
}
void explain_max_items(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "maxItems", out);
  append_reason("array did not match specified length", value, out);
}

bson::ValueView find_duplicate(bson::View array) {
  std::vector<bson::ValueView> seen;
  for (const bson::Element& item : array) {
    for (const bson::ValueView earlier : seen) {
      if (unordered_equal(earlier, item.value)) return item.value;
    }
    seen.push_back(item.value);
  }
  return {};
}

bool unique_items_ok(const SchemaNode&, bson::ValueView value) {
  return !is_array(value) || find_duplicate(value.get_document()).is_missing();
}
void explain_unique_items(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "uniqueItems", out);
  append_reason("found a duplicate item", value, out);
  out.append("duplicatedValue", find_duplicate(value.get_document()));
}

// Position of the first item at or behind `from` that breaks `schema`.
std::optional<std::size_t> failing_item(const SchemaNode& schema, bson::View array,
                                        std::size_t from) {
  std::size_t position = 0;
  for (const bson::Element& item : array) {
    if (position >= from && !schema_matches(schema, item.value)) return position;
    ++position;
  }
  return std::nullopt;
}

bool item_tuple_ok(const SchemaNode& node, bson::View array) {
  std::size_t position = 0;
  for (const bson::Element& item : array) {
    if (position == node.item_tuple.size()) break;
    if (!schema_matches(*node.item_tuple[position++], item.value)) return false;
  }
  return true;
}

bool items_ok(const SchemaNode& node, bson::ValueView value) {
  if (!is_array(value)) return true;
  if (node.items != nullptr) return !failing_item(*node.items, value.get_document(), 0);
  return item_tuple_ok(node, value.get_document());
}

void append_item(const SchemaNode& schema, std::size_t position, bson::View array,
                 bson::Builder& out) {
  out.append("itemIndex", static_cast<std::int32_t>(position));
  append_details(schema, array_element(array, position), out);
}

void explain_items(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  const bson::View array = value.get_document();
  if (node.items != nullptr) {
    out.append("reason", "At least one item did not match the sub-schema");
    append_item(*node.items, *failing_item(*node.items, array, 0), array, out);
    return;
  }
  out.open_array("details");
  std::size_t position = 0;
  for (const bson::Element& item : array) {
    if (position == node.item_tuple.size()) break;
    const SchemaNode& schema = *node.item_tuple[position];
    if (!schema_matches(schema, item.value)) {
      out.push_object();
      append_item(schema, position, array, out);
      out.close();
    }
    ++position;
  }
  out.close();
}

// Additional items are those behind a tuple; without one there are none.
bool additional_items_ok(const SchemaNode& node, bson::ValueView value) {
  if (!is_array(value) || !node.has_item_tuple) return true;
  const bson::View array = value.get_document();
  if (node.additional_items.forbidden) return array.count() <= node.item_tuple.size();
  return !failing_item(*node.additional_items.schema, array, node.item_tuple.size());
}
void explain_additional_items(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  const bson::View array = value.get_document();
  if (node.additional_items.forbidden) {
    append_specified(node, "additionalItems", out);
    out.append("reason", "found additional items");
    out.open_array("additionalItems");
    std::size_t position = 0;
    for (const bson::Element& item : array) {
      if (position++ >= node.item_tuple.size()) out.push(item.value);
    }
    out.close();
    return;
  }
  out.append("reason", "At least one additional item did not match the sub-schema");
  const SchemaNode& schema = *node.additional_items.schema;
  append_item(schema, *failing_item(schema, array, node.item_tuple.size()), array, out);
}

// --- objects ---

bool min_properties_ok(const SchemaNode& node, bson::ValueView value) {
  return !is_object(value) || size_of(value) >= *node.min_properties;
}
bool max_properties_ok(const SchemaNode& node, bson::ValueView value) {
  return !is_object(value) || size_of(value) <= *node.max_properties;
}
void explain_property_count(const SchemaNode& node, std::string_view keyword, bson::ValueView value,
                            bson::Builder& out) {
  append_specified(node, keyword, out);
  out.append("reason", "specified number of properties was not satisfied");
  out.append("numberOfProperties", static_cast<std::int32_t>(size_of(value)));
}
void explain_min_properties(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  explain_property_count(node, "minProperties", value, out);
}
void explain_max_properties(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  explain_property_count(node, "maxProperties", value, out);
}

bool required_ok(const SchemaNode& node, bson::ValueView value) {
  if (!is_object(value)) return true;
  const bson::View object = value.get_document();
  return std::all_of(node.required.begin(), node.required.end(),
                     [&](const std::string& name) { return object.contains(name); });
}
void explain_required(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  append_specified(node, "required", out);
  out.open_array("missingProperties");
  for (const std::string& name : node.required) {
    if (!value.get_document().contains(name)) out.push(name);
  }
  out.close();
}

bool property_ok(const SchemaProperty& property, bson::View object) {
  const bson::ValueView value = object.find(property.name);
  return value.is_missing() || schema_matches(*property.schema, value);
}
bool properties_ok(const SchemaNode& node, bson::ValueView value) {
  if (!is_object(value)) return true;
  const bson::View object = value.get_document();
  return std::all_of(node.properties.begin(), node.properties.end(),
                     [&](const SchemaProperty& property) { return property_ok(property, object); });
}
void explain_properties(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  const bson::View object = value.get_document();
  out.open_array("propertiesNotSatisfied");
  for (const SchemaProperty& property : node.properties) {
    if (property_ok(property, object)) continue;
    out.push_object().append("propertyName", property.name);
    append_annotations(*property.schema, out);
    append_details(*property.schema, object.find(property.name), out);
    out.close();
  }
  out.close();
}

bool pattern_properties_ok(const SchemaNode& node, bson::ValueView value) {
  if (!is_object(value)) return true;
  for (const bson::Element& element : value.get_document()) {
    for (const SchemaPatternProperty& property : node.pattern_properties) {
      if (property.regex.matches(element.name) &&
          !schema_matches(*property.schema, element.value)) {
        return false;
      }
    }
  }
  return true;
}
void explain_pattern_properties(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  out.open_array("details");
  for (const bson::Element& element : value.get_document()) {
    for (const SchemaPatternProperty& property : node.pattern_properties) {
      if (!property.regex.matches(element.name) ||
          schema_matches(*property.schema, element.value)) {
        continue;
      }
      out.push_object().append("propertyName", element.name);
      append_annotations(*property.schema, out);
      out.append("regexMatched", property.pattern);
      append_details(*property.schema, element.value, out);
      out.close();
    }
  }
  out.close();
}

bool is_additional(const SchemaNode& node, std::string_view name) {
  for (const SchemaProperty& property : node.properties) {
    if (property.name == name) return false;
  }
  for (const SchemaPatternProperty& property : node.pattern_properties) {
    if (property.regex.matches(name)) return false;
  }
  return true;
}
bool additional_properties_ok(const SchemaNode& node, bson::ValueView value) {
  if (!is_object(value)) return true;
  const SchemaRest& rest = node.additional_properties;
  for (const bson::Element& element : value.get_document()) {
    if (!is_additional(node, element.name)) continue;
    if (rest.forbidden || !schema_matches(*rest.schema, element.value)) return false;
  }
  return true;
}
void explain_additional_properties(const SchemaNode& node, bson::ValueView value,
                                   bson::Builder& out) {
  const SchemaRest& rest = node.additional_properties;
  if (rest.forbidden) {
    append_specified(node, "additionalProperties", out);
    out.open_array("additionalProperties");
    for (const bson::Element& element : value.get_document()) {
      if (is_additional(node, element.name)) out.push(element.name);
    }
    out.close();
    return;
  }
  for (const bson::Element& element : value.get_document()) {
    if (!is_additional(node, element.name) || schema_matches(*rest.schema, element.value)) continue;
    out.append("reason", "at least one additional property did not match the subschema");
    out.append("failingProperty", element.name);
    append_details(*rest.schema, element.value, out);
    return;
  }
}

bool dependency_ok(const SchemaDependency& dependency, bson::ValueView value) {
  const bson::View object = value.get_document();
  if (!object.contains(dependency.name)) return true;
  if (dependency.schema != nullptr) return schema_matches(*dependency.schema, value);
  return std::all_of(dependency.properties.begin(), dependency.properties.end(),
                     [&](const std::string& name) { return object.contains(name); });
}
bool dependencies_ok(const SchemaNode& node, bson::ValueView value) {
  return !is_object(value) ||
         std::all_of(node.dependencies.begin(), node.dependencies.end(),
                     [&](const SchemaDependency& item) { return dependency_ok(item, value); });
}
void explain_dependencies(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  out.open_array("failingDependencies");
  for (const SchemaDependency& dependency : node.dependencies) {
    if (dependency_ok(dependency, value)) continue;
    out.push_object().append("conditionalProperty", dependency.name);
    if (dependency.schema != nullptr) {
      append_details(*dependency.schema, value, out);
    } else {
      out.open_array("missingProperties");
      for (const std::string& name : dependency.properties) {
        if (!value.get_document().contains(name)) out.push(name);
      }
      out.close();
    }
    out.close();
  }
  out.close();
}

// --- combinations ---

void explain_branches(const std::vector<SchemaNodePtr>& branches, bson::ValueView value,
                      bson::Builder& out) {
  out.open_array("schemasNotSatisfied");
  std::int32_t index = 0;
  for (const SchemaNodePtr& branch : branches) {
    if (!schema_matches(*branch, value)) {
      out.push_object().append("index", index);
      append_annotations(*branch, out);
      append_details(*branch, value, out);
      out.close();
    }
    ++index;
  }
  out.close();
}

std::size_t matching(const std::vector<SchemaNodePtr>& branches, bson::ValueView value) {
  return static_cast<std::size_t>(
      std::count_if(branches.begin(), branches.end(),
                    [&](const SchemaNodePtr& branch) { return schema_matches(*branch, value); }));
}

bool all_of_ok(const SchemaNode& node, bson::ValueView value) {
  return matching(node.all_of, value) == node.all_of.size();
}
bool any_of_ok(const SchemaNode& node, bson::ValueView value) {
  return matching(node.any_of, value) > 0;
}
bool one_of_ok(const SchemaNode& node, bson::ValueView value) {
  return matching(node.one_of, value) == 1;
}
bool not_ok(const SchemaNode& node, bson::ValueView value) {
  return !schema_matches(*node.negated, value);
}
void explain_all_of(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  explain_branches(node.all_of, value, out);
}
void explain_any_of(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  explain_branches(node.any_of, value, out);
}
void explain_one_of(const SchemaNode& node, bson::ValueView value, bson::Builder& out) {
  if (matching(node.one_of, value) == 0) {
    explain_branches(node.one_of, value, out);
    return;
  }
  out.append("reason", "more than one subschema matched");
  out.open_array("matchingSchemaIndexes");
  for (std::size_t i = 0; i < node.one_of.size(); ++i) {
    if (schema_matches(*node.one_of[i], value)) out.push(static_cast<std::int32_t>(i));
  }
  out.close();
}
void explain_not(const SchemaNode&, bson::ValueView, bson::Builder& out) {
  out.append("reason", "child expression matched");
}

}  // namespace

bool SchemaTypes::contains(bson::Type type) const {
  if (any_number && bson::is_number(type)) return true;
  return std::find(types.begin(), types.end(), type) != types.end();
}

const std::vector<SchemaRule>& schema_rules() {
  using Node = const SchemaNode&;
  static const std::vector<SchemaRule> kRules = {
      {"type", [](Node n) { return n.types && n.types->keyword == "type"; }, type_ok, explain_type},
      {"bsonType", [](Node n) { return n.types && n.types->keyword == "bsonType"; }, type_ok,
       explain_type},
      {"encrypt", [](Node n) { return n.encrypted; }, encrypt_ok, explain_encrypt},
      {"enum", [](Node n) { return n.source.view().contains("enum"); }, enum_ok, explain_enum},
      {"minimum", [](Node n) { return !n.minimum.is_missing(); }, minimum_ok, explain_minimum},
      {"maximum", [](Node n) { return !n.maximum.is_missing(); }, maximum_ok, explain_maximum},
      {"multipleOf", [](Node n) { return !n.multiple_of.is_missing(); }, multiple_of_ok,
       explain_multiple_of},
      {"minLength", [](Node n) { return n.min_length.has_value(); }, min_length_ok,
       explain_min_length},
      {"maxLength", [](Node n) { return n.max_length.has_value(); }, max_length_ok,
       explain_max_length},
      {"pattern", [](Node n) { return n.pattern.has_value(); }, pattern_ok, explain_pattern},
      {"minItems", [](Node n) { return n.min_items.has_value(); }, min_items_ok, explain_min_items},
      {"maxItems", [](Node n) { return n.max_items.has_value(); }, max_items_ok, explain_max_items},
      {"uniqueItems", [](Node n) { return n.unique_items; }, unique_items_ok, explain_unique_items},
      {"items", [](Node n) { return n.items != nullptr || n.has_item_tuple; }, items_ok,
       explain_items},
      {"additionalItems",
       [](Node n) { return n.additional_items.forbidden || n.additional_items.schema != nullptr; },
       additional_items_ok, explain_additional_items},
      {"minProperties", [](Node n) { return n.min_properties.has_value(); }, min_properties_ok,
       explain_min_properties},
      {"maxProperties", [](Node n) { return n.max_properties.has_value(); }, max_properties_ok,
       explain_max_properties},
      {"properties", [](Node n) { return !n.properties.empty(); }, properties_ok,
       explain_properties},
      {"patternProperties", [](Node n) { return !n.pattern_properties.empty(); },
       pattern_properties_ok, explain_pattern_properties},
      {"additionalProperties",
       [](Node n) {
         return n.additional_properties.forbidden || n.additional_properties.schema != nullptr;
       },
       additional_properties_ok, explain_additional_properties},
      {"required", [](Node n) { return !n.required.empty(); }, required_ok, explain_required},
      {"dependencies", [](Node n) { return !n.dependencies.empty(); }, dependencies_ok,
       explain_dependencies},
      {"allOf", [](Node n) { return !n.all_of.empty(); }, all_of_ok, explain_all_of},
      {"anyOf", [](Node n) { return !n.any_of.empty(); }, any_of_ok, explain_any_of},
      {"oneOf", [](Node n) { return !n.one_of.empty(); }, one_of_ok, explain_one_of},
      {"not", [](Node n) { return n.negated != nullptr; }, not_ok, explain_not},
  };
  return kRules;
}

}  // namespace restitch::query
