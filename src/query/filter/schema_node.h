#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bson/document.h"
#include "query/regex.h"

namespace restitch::query {

struct SchemaNode;
using SchemaNodePtr = std::unique_ptr<SchemaNode>;

// One keyword of a schema: whether a value obeys it, and the members of the error object when it
// does not.
struct SchemaRule {
  std::string_view keyword;
  bool (*is_present)(const SchemaNode& node);
  bool (*is_satisfied)(const SchemaNode& node, bson::ValueView value);
  void (*explain)(const SchemaNode& node, bson::ValueView value, bson::Builder& out);
};

struct SchemaTypes {
  std::string_view keyword;  // "type" or "bsonType"
  std::vector<bson::Type> types;
  bool any_number = false;

  bool contains(bson::Type type) const;
};

// additionalProperties and additionalItems.
struct SchemaRest {
  bool forbidden = false;
  SchemaNodePtr schema;  // null: anything goes, unless forbidden
};

struct SchemaProperty {
  std::string name;
  SchemaNodePtr schema;
};

struct SchemaPatternProperty {
  std::string pattern;
  Regex regex;
  SchemaNodePtr schema;
};

struct SchemaDependency {
  std::string name;
  std::vector<std::string> properties;
  SchemaNodePtr schema;  // null: `properties` are required
};

// A compiled (sub-)schema. `rules` are the keywords present, in the order in which they are checked
// and reported.
struct SchemaNode {
  bson::Document source;
  std::vector<const SchemaRule*> rules;

  std::optional<SchemaTypes> types;
  bool encrypted = false;
  std::vector<bson::Type> encrypted_types;
  std::vector<SchemaNodePtr> all_of, any_of, one_of;
  SchemaNodePtr negated;

  bson::Value minimum, maximum, multiple_of;  // missing if absent
  bool exclusive_minimum = false, exclusive_maximum = false;
  std::optional<std::int64_t> min_length, max_length, min_items, max_items, min_properties,
      max_properties;
  std::optional<Regex> pattern;

  bool unique_items = false;
  SchemaNodePtr items;                    // one schema for all items
  std::vector<SchemaNodePtr> item_tuple;  // or one a position
  bool has_item_tuple = false;
  SchemaRest additional_items;

  std::vector<SchemaProperty> properties;
  std::vector<SchemaPatternProperty> pattern_properties;
  SchemaRest additional_properties;
  std::vector<std::string> required;
  std::vector<SchemaDependency> dependencies;
};

Result<SchemaNodePtr> parse_schema(bson::View schema);

// The rules in order.
const std::vector<SchemaRule>& schema_rules();

bool schema_matches(const SchemaNode& node, bson::ValueView value);
// Appends one object for each rule that the value breaks to the open array.
void explain_schema(const SchemaNode& node, bson::ValueView value, bson::Builder& out);
// Appends title and description, if there are any.
void append_annotations(const SchemaNode& node, bson::Builder& out);

// Equality that does not look at the order of members.
bool unordered_equal(bson::ValueView a, bson::ValueView b);

}  // namespace restitch::query
