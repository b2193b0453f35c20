#include <array>

#include "app/assembly.h"

namespace restitch::app {
namespace {

using Keys = std::span<const std::string_view>;

constexpr std::array<std::string_view, 12> kRoleKeys = {
    "name",   "apply_when", "document_filters",  "read", "write", "insert", "delete",
    "search", "fields",     "additional_fields", "_id",  "id"};
constexpr std::array<std::string_view, 7> kFilterKeys = {
    "name", "apply_when", "query", "projection", "project", "_id", "id"};
constexpr std::array<std::string_view, 4> kFieldKeys = {"read", "write", "fields",
                                                        "additional_fields"};
constexpr std::array<std::string_view, 2> kReadWriteKeys = {"read", "write"};
constexpr std::array<std::string_view, 8> kRuleKeys = {
    "database", "collection", "roles", "filters", "_id", "id", "schema", "relationships"};

// The rules of 2017 had these at the top instead of roles.
constexpr std::array<std::string_view, 3> kOldRuleKeys = {"read", "write", "valid"};

std::string rule_name(const Node& node, std::set<std::string>& taken, std::string_view kind) {
  std::string name = node.required_text();
  if (character_count(name) > kMaxRuleNameLength) {
    node.error("must be at most " + std::to_string(kMaxRuleNameLength) + " characters long");
  }
  if (!name.empty() && !taken.insert(name).second) {
    node.error("must specify unique names when importing " + std::string(kind) +
                   "; duplicate name: " + name,
               "RuleDuplicateName");
  }
  return name;
}

void read_fields(const Node& node, FieldPermission& out);

void read_additional(const Node& node, FieldPermission& out) {
  if (!node.exists() || !node.is_object()) return;
  node.refuse_unknown_members(kReadWriteKeys);
  out.additional.emplace(node["read"].expression(), node["write"].expression());
}

// The members `fields` and `additional_fields` of a role or a field.
void read_fields(const Node& node, FieldPermission& out) {
  node["fields"].each_member([&](std::string_view name, const Node& field) {
    FieldPermission permission;
    if (!field.exists()) {
      field.error("must be an object");
    } else if (field.is_object()) {
      field.refuse_unknown_members(kFieldKeys);
      permission.read = field["read"].expression();
      permission.write = field["write"].expression();
      read_fields(field, permission);
    }
    out.fields.emplace_back(std::string(name), std::move(permission));
  });
  read_additional(node["additional_fields"], out);
}

Role read_role(const Node& node, std::set<std::string>& taken) {
  node.refuse_unknown_members(kRoleKeys);
  Role role;
  role.name = rule_name(node["name"], taken, "Roles");
  role.apply_when = node["apply_when"].expression();
  const Node gates = node["document_filters"];
  if (gates.exists() && gates.is_object()) {
    gates.refuse_unknown_members(kReadWriteKeys);
    role.has_document_filters = true;
    role.document_read = gates["read"].expression();
    role.document_write = gates["write"].expression();
  }
  role.read = node["read"].expression();
  role.write = node["write"].expression();
  role.insert = node["insert"].expression();
  role.remove = node["delete"].expression();
  role.search = node["search"].expression();
  read_fields(node, role.permissions);
  return role;
}

Filter read_filter(const Node& node, std::set<std::string>& taken) {
  node.refuse_unknown_members(kFilterKeys);
  Filter filter;
  filter.name = rule_name(node["name"], taken, "Filters");
  filter.apply_when = node["apply_when"].expression();
  filter.query = node["query"].object();
  if (node["projection"].exists() && node["project"].exists()) {
    node["project"].error("cannot be given together with projection, which means the same");
  }
  filter.projection = node[node["projection"].exists() ? "projection" : "project"].object();
  return filter;
}

void check_rule_keys(const Node& rule) {
  for (const std::string_view key : kOldRuleKeys) {
    if (!rule[key].exists() || rule["roles"].exists()) continue;
    rule[key].error("rules without roles, as they were in 2017, are not supported; use 'roles'");
  }
  rule.each_member([&](std::string_view name, const Node& member) {
    const auto is = [&](Keys keys) {
      return std::find(keys.begin(), keys.end(), name) != keys.end();
    };
    if (is(kRuleKeys) || is(kOldRuleKeys)) return;
    const std::string_view meant = closest(name, kRuleKeys);
    if (meant == "roles" || meant == "filters") {
      member.error("unknown key '" + std::string(name) + "', did you mean '" + std::string(meant) +
                   "'?");
    } else {
      member.warning("unknown key '" + std::string(name) + "' (ignored)");
    }
  });
}

}  // namespace

void read_rule(const Node& rule, std::vector<Role>& roles, std::vector<Filter>& filters) {
  if (!rule.is_object()) return;
  check_rule_keys(rule);
  std::set<std::string> role_names;
  rule["roles"].each_element([&](const Node& node) {
    if (!node.exists()) node.error("must be an object");
    if (node.is_object()) roles.push_back(read_role(node, role_names));
  });
  std::set<std::string> filter_names;
  rule["filters"].each_element([&](const Node& node) {
    if (!node.exists()) node.error("must be an object");
    if (node.is_object()) filters.push_back(read_filter(node, filter_names));
  });
}

}  // namespace restitch::app
