#include "rules/explain/permission_index.h"

#include <utility>

#include "rules/expression/parser.h"

namespace restitch::rules {

using Kind = NamedPermission::Kind;

PermissionIndex::PermissionIndex(const CompiledRules& rules) {
  for (std::size_t i = 0; i < rules.roles().size(); ++i) add_role(rules.roles()[i], i);
  for (std::size_t i = 0; i < rules.filters().size(); ++i) {
    const FilterProgram& filter = rules.filters()[i];
    add({&filter.apply_when, Kind::kFilter, filter.name, "apply_when",
         "/filters/" + std::to_string(i) + "/apply_when"});
  }
}

void PermissionIndex::add_role(const RoleProgram& role, std::size_t number) {
  const std::string at = "/roles/" + std::to_string(number);
  add({&role.apply_when, Kind::kRole, role.name, "apply_when", at + "/apply_when"});
  const auto add_one = [&](const Permission& permission, const char* name, const char* pointer) {
    add({&permission, Kind::kDocument, role.name, name, at + pointer});
  };
  add_one(role.document_read, "document_filters.read", "/document_filters/read");
  add_one(role.document_write, "document_filters.write", "/document_filters/write");
  add_one(role.read, "read", "/read");
  add_one(role.write, "write", "/write");
  add_one(role.insert, "insert", "/insert");
  add_one(role.remove, "delete", "/delete");
  add_one(role.search, "search", "/search");
  add_members(role.fields, role.name, "", at);
}

void PermissionIndex::add_members(const FieldRule& rule, const std::string& owner,
                                  const std::string& name, const std::string& pointer) {
  const auto add_pair = [&](const FieldRule& field, const std::string& full,
                            const std::string& at) {
    add({&field.read, Kind::kField, owner, full + ".read", at + "/read"});
    add({&field.write, Kind::kField, owner, full + ".write", at + "/write"});
    add_members(field, owner, full, at);
  };
  const std::string prefix = name.empty() ? "" : name + ".";
  for (const auto& [field, permissions] : rule.fields) {
    add_pair(permissions, prefix + "fields." + field, below(pointer + "/fields", field));
  }
  if (rule.additional != nullptr) {
    add_pair(*rule.additional, prefix + "additional_fields", pointer + "/additional_fields");
  }
}

void PermissionIndex::add(NamedPermission permission) {
  positions_.emplace(permission.permission, list_.size());
  list_.push_back(std::move(permission));
}

}  // namespace restitch::rules
