#include <array>
#include <utility>

#include "app/assembly.h"

namespace restitch::app {
namespace {

constexpr std::array<std::string_view, 4> kKeys = {"ref", "source_key", "foreign_key", "is_list"};
constexpr std::string_view kPrefix = "#/relationship/";

// Cuts the text up to the next '/' off.
std::string take_component(std::string_view& rest) {
  const std::size_t slash = rest.find('/');
  std::string component(rest.substr(0, slash));
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return component;
}

bool read_target(std::string_view ref, Relationship& out) {
  if (!ref.starts_with(kPrefix)) return false;
  ref.remove_prefix(kPrefix.size());
  out.target_source = take_component(ref);
  out.target_database = take_component(ref);
  out.target_collection = std::string(ref);
  return !out.target_source.empty() && !out.target_database.empty() &&
         !out.target_collection.empty();
}

// The schema of the field at a dotted path; "[]" stands for the elements of an array or the values
// of a dictionary.
bson::ValueView schema_of(bson::View schema, std::string_view path) {
  bson::ValueView found;
  while (true) {
    const std::size_t dot = path.find('.');
    const std::string_view component = path.substr(0, dot);
    if (component == "[]") {
      found = schema.find("items");
      if (found.is_missing()) found = schema.find("additionalProperties");
    } else {
      const auto properties = schema.find("properties").as_object();
      if (!properties) return {};
      found = properties->find(component);
    }
    const auto next = found.as_object();
    if (dot == std::string_view::npos || !next) return found;
    schema = *next;
    path.remove_prefix(dot + 1);
  }
}

bool is_required(bson::View schema, std::string_view name) {
  const auto required = schema.find("required").as_array();
  if (!required) return false;
  for (const bson::Element& element : *required) {
    if (element.value.as_string() == name) return true;
  }
  return false;
}

bool is_of_type(bson::View schema, std::string_view type) {
  for (const std::string_view key : {"bsonType", "type"}) {
    const bson::ValueView value = schema.find(key);
    if (value.as_string() == type) return true;
    for (const bson::Element& element : value.as_array().value_or(bson::View())) {
      if (element.value.as_string() == type) return true;
    }
  }
  return false;
}

void check_source(const Node& node, const Relationship& relationship, bson::View schema) {
  const std::string& path = relationship.source_key;
  if (is_required(schema, path)) {
    node.warning("'" + path +
                 "' is required by the schema; a relationship must be optional to sync");
  }
  const bson::ValueView field = schema_of(schema, path);
  const auto field_schema = field.as_object();
  if (!field_schema) {
    if (field.is_missing() && schema.contains("properties")) {
      node.warning("'" + path + "' is not in the schema; the relationship is inactive");
    }
    return;
  }
  const bool holds_many = is_of_type(*field_schema, "array") || is_of_type(*field_schema, "object");
  if (relationship.is_list != holds_many &&
      (field_schema->contains("bsonType") || field_schema->contains("type"))) {
    node["is_list"].warning(relationship.is_list
                                ? "is true but '" + path + "' is no array"
                                : "is not true but '" + path + "' holds several values");
  }
}

}  // namespace

std::vector<Relationship> read_relationships(const Node& relationships,
                                             const std::optional<bson::Document>& schema) {
  std::vector<Relationship> out;
  relationships.each_member([&](std::string_view path, const Node& node) {
    if (!node.exists()) node.error("must be an object");
    if (!node.is_object()) return;
    node.warn_of_unknown_members(kKeys);
    Relationship relationship;
    relationship.source_path = std::string(path);
    relationship.source_key = node["source_key"].text(path);
    relationship.foreign_key = node["foreign_key"].required_text();
    relationship.is_list = node["is_list"].flag();
    const Node ref = node["ref"];
    const std::string target = ref.required_text();
    if (!target.empty() && !read_target(target, relationship)) {
      ref.error("must have the form #/relationship/<data source>/<database>/<collection>");
    }
    if (relationship.source_key.empty()) relationship.source_key = relationship.source_path;
    if (relationship.source_key == "_id")
      node.warning("'_id' cannot be the source of a relationship");
    if (!relationship.foreign_key.empty() && relationship.foreign_key != "_id") {
      node["foreign_key"].warning("must be '_id' to sync");
    }
    if (schema && !schema->empty()) check_source(node, relationship, *schema);
    out.push_back(std::move(relationship));
  });
  return out;
}

}  // namespace restitch::app
