#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bson/document.h"
#include "query/regex.h"
#include "schema/types.h"

namespace restitch::schema {

struct CompiledSchema;
using CompiledPtr = std::unique_ptr<const CompiledSchema>;

// A name in `properties`, `required` or both.
struct Property {
  std::string name;
  CompiledPtr schema;  // null if `properties` does not have the name
  bool is_required = false;
};

struct PatternProperty {
  query::Regex pattern;
  CompiledPtr schema;
};

// A property that asks for others, or for the whole object to match a schema.
struct Dependency {
  std::string name;
  std::vector<std::string> needed;
  CompiledPtr schema;
};

struct ObjectLimits {
  std::vector<Property> properties;  // sorted by name
  std::size_t required_count = 0;
  std::vector<PatternProperty> patterns;
  std::vector<Dependency> dependencies;
  CompiledPtr names;       // every name as a string (propertyNames)
  CompiledPtr additional;  // null: any value, if allowed at all
  bool allows_additional = true;
  std::int64_t min_properties = 0;
  std::optional<std::int64_t> max_properties;
};

struct ArrayLimits {
  CompiledPtr items;                   // for all elements
  std::vector<CompiledPtr> positions;  // the list form
  CompiledPtr additional;              // behind the list
  bool allows_additional = true;
  std::int64_t min_items = 0;
  std::optional<std::int64_t> max_items;
  bool has_unique_items = false;
  CompiledPtr contained;  // of one element at least (contains)
};

struct StringLimits {
  std::int64_t min_length = 0;
  std::optional<std::int64_t> max_length;
  std::optional<query::Regex> pattern;
  std::string pattern_text;
};

struct NumberLimits {
  bson::Value minimum, maximum, multiple_of;  // missing if not given
  bool is_minimum_exclusive = false;
  bool is_maximum_exclusive = false;
};

// One (sub)schema. Parts that a schema does not mention are absent, so that a plain one costs
// little.
struct CompiledSchema {
  TypeSet types = 0;                 // 0: every type
  std::string expected;              // for messages: "type: undefined, bsonType: string"
  std::vector<bson::Value> choices;  // enum
  bson::Value constant;              // const; missing if not given
  bool has_choices = false;
  std::optional<ObjectLimits> object;
  std::optional<ArrayLimits> array;
  std::optional<StringLimits> string;
  std::optional<NumberLimits> number;
  std::vector<CompiledPtr> all_of, any_of, one_of;
  CompiledPtr negated;                              // not
  CompiledPtr condition, consequence, alternative;  // if, then, else
};

}  // namespace restitch::schema
